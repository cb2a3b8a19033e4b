/** Training runs: recipes, the trainer and checkpoints. */
package slimvox.train;
