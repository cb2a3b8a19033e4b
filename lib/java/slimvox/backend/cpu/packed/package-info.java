/**
 * Packed inference on the processor: by XOR and popcount, or by unpacking a tile of weights at a
 * time.
 */
package slimvox.backend.cpu.packed;
