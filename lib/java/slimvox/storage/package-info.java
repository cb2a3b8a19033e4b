/** Files: safetensors with checksums, atomic writing, and the exception for bad input. */
package slimvox.storage;
