/** Training runs: the trainer, its folder, checkpoints and logs. */
package slimvox.train;
