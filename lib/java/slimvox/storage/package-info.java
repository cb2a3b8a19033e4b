/**
 * Files: safetensors with checksums, PyTorch's {@code .pt}, atomic writing, and the exception for
 * bad input.
 */
package slimvox.storage;
