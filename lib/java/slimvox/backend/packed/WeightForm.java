package slimvox.backend.packed;

import java.util.Locale;

/** How a layer's weights are stored, and what they meet. */
public enum WeightForm {
  /** Real weights, real activations. */
  FLOAT32(32, 32),
  /** 8-bit whole numbers with one scale a row, real activations; only for the embedding layer. */
  INT8(8, 32),
  /** One bit a weight with one scale a filter, real activations. */
  W1A32(1, 32),
  /** One bit a weight with one scale a filter, signs of activations. */
  W1A1(1, 1);

  private final int weightBits;
  private final int activationBits;

  WeightForm(int weightBits, int activationBits) {
    this.weightBits = weightBits;
    this.activationBits = activationBits;
  }

  /** Bits of a weight. */
  public int weightBits() {
    return weightBits;
  }

  /** Bits of an activation that a weight is multiplied with. */
  public int activationBits() {
    return activationBits;
  }

  /** Whether a weight is one bit. */
  public boolean isBinary() {
    return weightBits == 1;
  }

  /** The name in files and tables. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }
}
