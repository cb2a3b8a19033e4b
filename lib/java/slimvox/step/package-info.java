/** One training step: how it is put together, planned, priced and run. */
package slimvox.step;
