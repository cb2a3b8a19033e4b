package slimvox.binary;

/**
 * A convolution as it is stored: weights, batch normalization folded into rows of one value for
 * each output channel, and the activation behind.
 *
 * <p>With s the sums of products of a window and a filter's weights (signs where they are binary),
 * the output is
 *
 * <pre>
 * FLOAT32  y = act(scale (s - mean) + shift + shortcut)
 * W1A32    y = act(scale s + shift + shortcut)             scale and shift hold alpha and mean
 * W1A1     y = act(scale (alpha s - mean) + shift + shortcut), s of sign(x + inputShift)
 * </pre>
 *
 * <p>What training evaluates in two roundings stays in two for W1A1, so that the signs that the
 * next layer takes are the same bits. Padding is 0 for real activations, +1 for signs.
 *
 * @param name for example {@code layer1.0.conv1}
 * @param form of the weights
 * @param in input channels
 * @param out output channels
 * @param kernel 1 or 3, on both axes; padded by half of it
 * @param stride on both axes
 * @param signs rows of {@link SignBits}; null for real weights
 * @param weights out x in x kernel x kernel; null for binary ones
 * @param alpha scale of each filter's signs; null for FLOAT32 and W1A32 folded
 * @param mean of batch normalization; null for W1A32 folded
 * @param scale see above
 * @param shift see above
 * @param inputShift added to each input channel before its sign is taken; null for 0
 * @param activation what follows
 */
public record PackedConvolution(
    String name,
    WeightForm form,
    int in,
    int out,
    int kernel,
    int stride,
    byte[] signs,
    float[] weights,
    float[] alpha,
    float[] mean,
    float[] scale,
    float[] shift,
    float[] inputShift,
    ChannelActivation activation) {
  public PackedConvolution {
    if (kernel != 1 && kernel != 3) {
      throw new IllegalArgumentException(name + ": kernel " + kernel + ", 1 or 3 are possible");
    }
    boolean binary = form.isBinary();
    if (form == WeightForm.INT8
        || binary != (signs != null)
        || binary != (weights == null)
        || (form == WeightForm.W1A1 && alpha == null)
        || (form == WeightForm.FLOAT32 && (alpha != null || mean == null))
        || (binary && (alpha == null) != (mean == null))
        || (form != WeightForm.W1A1 && inputShift != null)) {
      throw new IllegalArgumentException(name + ": not what " + form + " is made of");
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

  /** Values of one float a channel: all that is stored besides weights. */
  public int rowCount() {
    int rows = 2 + (alpha == null ? 0 : 1) + (mean == null ? 0 : 1);
    return rows
        + switch (activation.kind()) {
          case NONE, RELU -> 0;
          case PRELU -> 1;
          case RPRELU -> 3;
        };
  }
}
