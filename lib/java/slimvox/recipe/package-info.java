/** Recipes: every setting of a run, as records that YAML is read into. */
package slimvox.recipe;
