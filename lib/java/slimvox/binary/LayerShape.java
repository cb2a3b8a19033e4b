package slimvox.binary;

/**
 * What a kernel has to know of a convolution once its weights are laid out.
 *
 * @param name for example {@code layer1.0.conv1}
 * @param form of the weights
 * @param in input channels
 * @param out output channels
 * @param kernel on both axes
 * @param stride on both axes
 */
record LayerShape(String name, WeightForm form, int in, int out, int kernel, int stride) {
  static LayerShape of(PackedConvolution c) {
    return new LayerShape(c.name(), c.form(), c.in(), c.out(), c.kernel(), c.stride());
  }

  /** Weights of one filter. */
  int filterSize() {
    return in * kernel * kernel;
  }

  /** Height or width of the output for that of the input. */
  int outLength(int length) {
    return (length - 1) / stride + 1;
  }

  /**
   * Whether taps are summed column by column, as oneDNN does for an input of one channel: so the
   * first layer gives the bits that it gives in training.
   */
  boolean columnsFirst() {
    return in == 1 && form == WeightForm.FLOAT32;
  }
}
