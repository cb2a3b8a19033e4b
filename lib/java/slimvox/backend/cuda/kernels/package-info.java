/** Launches of the kernels in {@code lib/cuda}. */
package slimvox.backend.cuda.kernels;
