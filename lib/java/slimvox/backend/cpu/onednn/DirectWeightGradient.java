package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;

/**
 * The gradient of a convolution for its weight, by oneDNN's own pass for it.
 *
 * <p>The workspace holds, each aligned to 64 bytes: pixels (see {@link #isGathered}), the gradient
 * in the library's layout, the scratch pad.
 */
final class DirectWeightGradient implements WeightGradientPass {
  private final Primitive convolution;
  private final Reorders reorders;
  private final StridedPixels pixels;
  private final long gradientOffset;
  private final long scratchpadOffset;

  DirectWeightGradient(OneDnn library, Convolution geometry) {
    pixels = isGathered(geometry) ? new StridedPixels(geometry) : null;
    Convolution g = pixels == null ? geometry : pixels.dense();
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, g)) {
      convolution = layouts.backwardWeight();
      reorders =
          new Reorders(layouts.toPlain(convolution, false), layouts.toPlain(convolution, true));
    }
    gradientOffset = pixels == null ? 0 : Operation.align(convolution.bytesOf(dnnl.DNNL_ARG_SRC));
    scratchpadOffset =
        gradientOffset + Operation.align(convolution.bytesOf(dnnl.DNNL_ARG_DIFF_WEIGHTS));
  }

  /**
   * True for 1x1 convolutions with a stride and fewer than 16 channels.
   *
   * <p>oneDNN 3.11 to 3.13 write past the end of their scratch pad there. So the pixels that such a
   * convolution sees are copied into the workspace, and oneDNN gets one without stride.
   */
  private static boolean isGathered(Convolution g) {
    return g.kernelHeight() == 1
        && g.kernelWidth() == 1
        && (g.strideHeight() > 1 || g.strideWidth() > 1)
        && g.padHeight() == 0
        && g.padWidth() == 0
        && g.inChannels() / g.groups() < 16;
  }

  @Override
  public long workspaceBytes() {
    return scratchpadOffset + Math.max(convolution.scratchpadBytes(), reorders.scratchpadBytes());
  }

  @Override
  public Stream<Primitive> primitives() {
    return Stream.concat(Stream.of(convolution), reorders.primitives());
  }

  @Override
  public void run(long stream, long x, long dy, long dweight, boolean accumulate, long workspace) {
    long input = x;
    if (pixels != null) {
      input = workspace;
      pixels.copy(x, input);
    }
    long gradient = workspace + gradientOffset;
    long scratchpad = workspace + scratchpadOffset;
    convolution.run(stream, scratchpad, input, dy, gradient);
    reorders.run(stream, gradient, dweight, accumulate, scratchpad);
  }
}
