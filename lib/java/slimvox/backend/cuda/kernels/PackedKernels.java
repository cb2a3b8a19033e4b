package slimvox.backend.cuda.kernels;

/**
 * The launches of lib/cuda/packed.cu, for package {@code binary}, which knows what lies where:
 * addresses are the card's, planes are as {@code slimvox.binary.Plane} describes them.
 */
public final class PackedKernels {
  private static final int CHANNELS = 32; // of a tile, as in the source
  private static final int WARPS = 8;
  private static final int PIXELS = 4; // of a thread

  private final Launcher launcher;

  public PackedKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  /** What the weights are. */
  public enum Weights {
    /** Words of signs, met by words of signs. */
    SIGN_WORDS("packed_signs"),
    /** A bit each: the sign of a size for each filter. */
    SIGNS("packed_sign_weights"),
    /** Floats. */
    FLOATS("packed_floats");

    private final String kernel;

    Weights(String kernel) {
      this.kernel = kernel;
    }
  }

  /**
   * A convolution with its epilogue, whose rows have a float for each channel of all tiles.
   *
   * @param kind of the weights
   * @param weights in tiles of 32 output channels
   * @param sizes of the filters, for {@link Weights#SIGNS}; else 0
   * @param activation 0 none, 1 ReLU, 2 PReLU, 3 RPReLU
   * @param channels of the output
   * @param kernel odd, on both axes
   * @param stride on both axes
   * @param runs stretches of a window's elements that lie side by side
   * @param filterSize weights of a filter
   */
  public record Layer(
      Weights kind,
      long weights,
      long sizes,
      long alpha,
      long mean,
      long scale,
      long shift,
      long slope,
      long before,
      long after,
      int activation,
      int channels,
      int kernel,
      int stride,
      int runs,
      int filterSize) {}

  /**
   * Convolves a plane; addresses of 0 stand for what is not wanted.
   *
   * @param x the input plane
   * @param inWidth its width
   * @param elements of its pixels
   * @param height of the output
   * @param width of the output
   * @param floats the output
   * @param shortcut what is added, a plane like the output
   * @param signs the output's signs
   * @param signShift added before they are taken
   */
  public void convolve(
      Layer layer,
      long x,
      int inWidth,
      int elements,
      int height,
      int width,
      long floats,
      long shortcut,
      long signs,
      long signShift) {
    long pixels = (long) height * width;
    Grid grid =
        new Grid(
            Grid.blocks(pixels, WARPS * PIXELS),
            Grid.blocks(layer.channels, CHANNELS),
            1,
            CHANNELS,
            WARPS,
            1);
    launcher.launch(
        layer.kind.kernel,
        grid,
        0,
        x,
        layer.weights,
        layer.sizes,
        layer.alpha,
        layer.mean,
        layer.scale,
        layer.shift,
        layer.slope,
        layer.before,
        layer.after,
        layer.activation,
        inWidth,
        elements,
        height,
        width,
        layer.channels,
        layer.kernel,
        layer.stride,
        layer.runs,
        (float) layer.filterSize,
        floats,
        shortcut,
        signs,
        signShift);
  }

  /** Sets the border of a plane to 0. */
  public void clearBorder(long plane, int height, int width, int elements) {
    long all = (height + 2L) * (width + 2) * elements;
    launcher.launch(
        "clear_border", ElementwiseKernels.ones(all), 0, plane, height, width, elements);
  }

  /**
   * Means, then deviations, of a plane's channels over groups of {@code rows} rows: value c groups
   * + g.
   */
  public void statistics(
      long x, long out, int groups, int rows, int width, int channels, double floor) {
    Grid grid = new Grid(Grid.blocks(channels, CHANNELS), groups, 1, CHANNELS, 1, 1);
    launcher.launch(
        "packed_statistics",
        grid,
        0,
        x,
        out,
        rows,
        width,
        channels,
        Double.doubleToRawLongBits(floor));
  }

  /** y = scale (W x) + bias; {@code bits} of a weight: 32, 8 or 1. */
  public void head(long x, long weights, long scale, long bias, long y, int in, int out, int bits) {
    launcher.launch(
        "packed_head",
        Grid.of(Grid.blocks(out, CHANNELS), CHANNELS),
        0,
        x,
        weights,
        scale,
        bias,
        y,
        in,
        out,
        bits);
  }
}
