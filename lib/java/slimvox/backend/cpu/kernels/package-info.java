/** The processor's kernels in the Vector API. */
package slimvox.backend.cpu.kernels;
