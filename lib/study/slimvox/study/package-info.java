/** Experiments: what notebooks compare, count and draw, and nothing else uses. */
package slimvox.study;
