/**
 * Networks with one bit a weight: the packed file, and inference on it by XOR and popcount or by
 * unpacking a tile of weights at a time.
 */
package slimvox.binary;
