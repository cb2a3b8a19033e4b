/** Optimizers and learning-rate schedules. */
package slimvox.optim;
