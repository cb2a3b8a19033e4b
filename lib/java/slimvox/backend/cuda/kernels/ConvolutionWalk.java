package slimvox.backend.cuda.kernels;

import slimvox.backend.Convolution;

/**
 * How lib/cuda/convolution.cu walks along one convolution: result pixel (i stepHeight + firstRow, j
 * stepWidth + firstColumn) takes, for tap t along the height, the source's row {@code i scale +
 * offset + t sign} and the weight's row {@code kernelFirst + t kernelStep}; likewise along the
 * width.
 *
 * @param high along the height (frequency)
 * @param wide along the width (frames)
 * @param sign 1 forward, -1 backward
 */
record ConvolutionWalk(Axis high, Axis wide, int sign) {
  /**
   * One axis.
   *
   * @param result length of the result
   * @param source length of the source
   * @param step distance of the class's result pixels
   * @param first the class's first
   * @param taps how many taps reach this class; 0 if none, its gradient is then 0
   */
  record Axis(
      int result,
      int source,
      int step,
      int first,
      int scale,
      int offset,
      int taps,
      int kernelFirst,
      int kernelStep) {
    /** Result pixels of the class. */
    int count() {
      return (result - first + step - 1) / step;
    }

    static Axis forward(int out, int in, int kernel, int stride, int pad) {
      return new Axis(out, in, 1, 0, stride, -pad, kernel, 0, 1);
    }

    /** Input pixels first, first + stride ...: input = output stride - pad + k. */
    static Axis backward(int in, int out, int kernel, int stride, int pad, int first) {
      int k = (first + pad) % stride;
      int taps = k < kernel ? (kernel - 1 - k) / stride + 1 : 0;
      return new Axis(in, out, stride, first, 1, (first + pad - k) / stride, taps, k, stride);
    }
  }

  /** The one class of the forward pass. */
  static ConvolutionWalk forward(Convolution g) {
    return new ConvolutionWalk(
        Axis.forward(g.outHeight(), g.height(), g.kernelHeight(), g.strideHeight(), g.padHeight()),
        Axis.forward(g.outWidth(), g.width(), g.kernelWidth(), g.strideWidth(), g.padWidth()),
        1);
  }

  /** The class of input pixels with these remainders modulo the strides. */
  static ConvolutionWalk backward(Convolution g, int row, int column) {
    return new ConvolutionWalk(
        Axis.backward(
            g.height(), g.outHeight(), g.kernelHeight(), g.strideHeight(), g.padHeight(), row),
        Axis.backward(
            g.width(), g.outWidth(), g.kernelWidth(), g.strideWidth(), g.padWidth(), column),
        -1);
  }

  /**
   * Computes the class.
   *
   * @param kind of the kernel: empty or {@code tf32_}
   * @param weight reordered for the pass
   * @param add whether the result is added to what is there
   */
  void launch(
      Launcher launcher,
      String kind,
      Convolution g,
      long source,
      long weight,
      long result,
      boolean add) {
    boolean forward = sign > 0;
    int channels = forward ? g.inChannels() : g.outChannels();
    int resultChannels = forward ? g.outChannels() : g.inChannels();
    long pixels = (long) g.batch() * high.count() * wide.count();
    int tile = TiledProducts.tileColumns(resultChannels);
    Grid grid =
        new Grid(
            Grid.blocks(pixels, TiledProducts.ROWS),
            Grid.blocks(resultChannels, tile),
            1,
            TiledProducts.threads(tile),
            1,
            1);
    launcher.launch(
        "convolve_" + kind + tile,
        grid,
        source,
        weight,
        result,
        pixels,
        high.count(),
        wide.count(),
        high.result(),
        wide.result(),
        high.step(),
        wide.step(),
        high.first(),
        wide.first(),
        channels,
        resultChannels,
        high.source(),
        wide.source(),
        high.scale(),
        wide.scale(),
        high.offset(),
        wide.offset(),
        sign,
        high.taps(),
        wide.taps(),
        high.kernelFirst(),
        wide.kernelFirst(),
        high.kernelStep(),
        wide.kernelStep(),
        g.kernelWidth(),
        add);
  }
}
