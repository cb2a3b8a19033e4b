/**
 * Layers, each with its forward and backward pass side by side.
 *
 * <p>Activations are N, H (frequency), W (frames), C; parameters have PyTorch's order and
 * WeSpeaker's names. A layer keeps for backward what PyTorch keeps, no more and no less.
 */
package slimvox.nn;
