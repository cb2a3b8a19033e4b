/**
 * Inference with one bit a weight: the formats of layers and activations, their form in a device's
 * memory, and the operations on them.
 */
package slimvox.backend.packed;
