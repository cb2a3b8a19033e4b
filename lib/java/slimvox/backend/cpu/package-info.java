/**
 * The processor as a device: oneDNN for convolutions and matrix products, the Vector API for the
 * rest, on the same OpenMP threads. The same calls give the same bits.
 */
package slimvox.backend.cpu;
