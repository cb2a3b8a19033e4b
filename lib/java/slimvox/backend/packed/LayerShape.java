package slimvox.backend.packed;

/**
 * What a packed convolution is, without its numbers.
 *
 * @param name for example {@code layer1.0.conv1}
 * @param form of the weights
 * @param in input channels
 * @param out output channels
 * @param kernel 1 or 3, on both axes; padded by half of it
 * @param stride 1 or 2, on both axes
 */
public record LayerShape(String name, WeightForm form, int in, int out, int kernel, int stride) {
  public LayerShape {
    if (kernel != 1 && kernel != 3) {
      throw new IllegalArgumentException(name + ": kernel " + kernel + ", 1 or 3 are possible");
    }
    if (stride != 1 && stride != 2) {
      throw new IllegalArgumentException(name + ": stride " + stride + ", 1 or 2 are possible");
    }
  }

  /** Weights of one filter. */
  public int filterSize() {
    return in * kernel * kernel;
  }

  /** Number of weights. */
  public long weightCount() {
    return (long) out * filterSize();
  }

  /** Height or width of the output for that of the input. */
  public int outLength(int length) {
    return (length - 1) / stride + 1;
  }

  /** Multiply-adds for an input of so many pixels. */
  public long multiplyAdds(int height, int width) {
    return weightCount() * outLength(height) * outLength(width);
  }

  /** Whether the input is signs. */
  public boolean takesSigns() {
    return form == WeightForm.W1A1;
  }

  /** Elements of an input pixel: words of signs, or channels. */
  public int inElements() {
    return takesSigns() ? Plane.words(in) : in;
  }

  /**
   * Whether taps are summed column by column, as oneDNN does for an input of one channel: so the
   * first layer gives the bits that it gives in training.
   */
  public boolean columnsFirst() {
    return in == 1 && form == WeightForm.FLOAT32;
  }
}
