package slimvox.backend.packed;

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
 * @param shape name, form and sizes
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
    LayerShape shape,
    byte[] signs,
    float[] weights,
    float[] alpha,
    float[] mean,
    float[] scale,
    float[] shift,
    float[] inputShift,
    ChannelActivation activation) {
  public PackedConvolution {
    WeightForm form = shape.form();
    boolean binary = form.isBinary();
    if (form == WeightForm.INT8
        || binary != (signs != null)
        || binary != (weights == null)
        || (form == WeightForm.W1A1 && alpha == null)
        || (form == WeightForm.FLOAT32 && (alpha != null || mean == null))
        || (binary && (alpha == null) != (mean == null))
        || (form != WeightForm.W1A1 && inputShift != null)) {
      throw new IllegalArgumentException(shape.name() + ": not what " + form + " is made of");
    }
  }

  /**
   * Rows of one float for each output channel: alpha, mean, scale, shift, and the activation's
   * slope, before and after; null where the layer has none.
   */
  public float[][] rows() {
    return new float[][] {
      alpha, mean, scale, shift, activation.slope(), activation.before(), activation.after()
    };
  }

  /** How many rows the layer has: all that is stored besides weights and the input's shift. */
  public int rowCount() {
    return 2 + (alpha == null ? 0 : 1) + (mean == null ? 0 : 1) + activation.rowCount();
  }
}
