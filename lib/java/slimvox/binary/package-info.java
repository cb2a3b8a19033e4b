/**
 * Networks with one bit a weight: how they are packed, the packed file, and inference on it by the
 * operations of {@link slimvox.backend.packed.Packed}.
 */
package slimvox.binary;
