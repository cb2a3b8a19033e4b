/** oneDNN: convolutions and matrix products. */
package slimvox.backend.cpu.onednn;
