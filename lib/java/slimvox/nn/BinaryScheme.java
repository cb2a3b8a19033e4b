package slimvox.nn;

/** What a binary convolution binarizes, and when. W is for weights, A for activations. */
public enum BinaryScheme {
  /** Nothing: float weights and activations. */
  NONE,
  /**
   * W1A32, standard: binary weights in forward and backward, real activations (XNOR-Net's
   * Binary-Weight-Networks, arXiv 1603.05279).
   */
  BWN,
  /**
   * W1A32 as in arXiv 2104.02306, as far as a summary of it tells: training runs forward with the
   * real weights, the gradients are those through the binary weights, and only evaluation runs
   * forward with the binary weights.
   */
  PAPER,
  /** W1A1: binary weights and signs of activations (Bi-Real Net, arXiv 1808.00278). */
  W1A1,
  /** W32A1: signs of activations, real weights; the first of two steps towards W1A1. */
  W32A1;

  /** Whether the network is evaluated with binary weights. */
  public boolean binaryWeights() {
    return this != NONE && this != W32A1;
  }

  /** Whether a convolution sees signs only. */
  public boolean binaryActivations() {
    return this == W1A1 || this == W32A1;
  }
}
