package slimvox.backend.cpu.onednn;

import java.util.List;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;

/**
 * A convolution, or its gradient for the input, by a convolution of oneDNN.
 *
 * <p>The workspace holds, each aligned to 64 bytes: the mirrored weight (see {@link #isMirrored}),
 * the weight in the library's layout, the scratch pad.
 */
final class DirectConvolution implements ConvolutionPass {
  private final Primitive convolution;
  private final Primitive reorder;
  private final MirroredKernel mirror;
  private final long weightOffset;
  private final long scratchpadOffset;

  private DirectConvolution(Primitive convolution, Primitive reorder, MirroredKernel mirror) {
    this.convolution = convolution;
    this.reorder = reorder;
    this.mirror = mirror;
    weightOffset = mirror == null ? 0 : Operation.align(mirror.bytes());
    scratchpadOffset = weightOffset + Operation.align(convolution.bytesOf(dnnl.DNNL_ARG_WEIGHTS));
  }

  /** y = (y +) x * weight: {@link #run} takes x, weight, y. */
  static DirectConvolution forward(OneDnn library, Convolution geometry, boolean accumulate) {
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, geometry)) {
      Primitive convolution = layouts.forward(accumulate);
      return new DirectConvolution(convolution, layouts.fromPlain(convolution), null);
    }
  }

  /** dx = dy correlated with the flipped weight: {@link #run} takes dy, weight, dx. */
  static DirectConvolution backwardData(OneDnn library, Convolution geometry) {
    if (isMirrored(geometry)) {
      try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, mirrored(geometry))) {
        Primitive convolution = layouts.forward(false);
        return new DirectConvolution(
            convolution, layouts.fromPlain(convolution), MirroredKernel.of(geometry));
      }
    }
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, geometry)) {
      Primitive convolution = layouts.backwardData();
      return new DirectConvolution(convolution, layouts.fromPlain(convolution), null);
    }
  }

  /**
   * True if the gradient for the input is better had as a forward pass with the kernel mirrored.
   *
   * <p>So it is for depthwise convolutions of stride 1, for which oneDNN has a backward pass that
   * takes 1.3 to 1.6 times as long as its forward pass (3 times without AVX-512).
   */
  private static boolean isMirrored(Convolution g) {
    return g.groups() == g.inChannels()
        && g.groups() == g.outChannels()
        && g.strideHeight() == 1
        && g.strideWidth() == 1
        && g.padHeight() < g.kernelHeight()
        && g.padWidth() < g.kernelWidth();
  }

  private static Convolution mirrored(Convolution g) {
    return new Convolution(
        g.batch(),
        g.outHeight(),
        g.outWidth(),
        g.outChannels(),
        g.inChannels(),
        g.kernelHeight(),
        g.kernelWidth(),
        1,
        1,
        g.kernelHeight() - 1 - g.padHeight(),
        g.kernelWidth() - 1 - g.padWidth(),
        g.groups(),
        g.type());
  }

  @Override
  public long workspaceBytes() {
    return scratchpadOffset + Math.max(convolution.scratchpadBytes(), reorder.scratchpadBytes());
  }

  @Override
  public List<String> implementations() {
    return List.of(convolution.implementation(), reorder.implementation());
  }

  @Override
  public void run(long stream, long input, long weight, long output, long workspace) {
    long plain = weight;
    if (mirror != null) {
      plain = workspace;
      mirror.copy(weight, plain);
    }
    long chosen = workspace + weightOffset;
    long scratchpad = workspace + scratchpadOffset;
    prepack(stream, plain, chosen, scratchpad);
    runPrepacked(stream, input, chosen, output, scratchpad);
  }

  @Override
  public long prepackedBytes() {
    return (convolution.bytesOf(dnnl.DNNL_ARG_WEIGHTS) + 3) & -4; // whole floats
  }

  @Override
  public boolean sameLayout(ConvolutionPass other) {
    return other instanceof DirectConvolution direct
        && Dnnl.equal(
            convolution.layoutOf(dnnl.DNNL_ARG_WEIGHTS),
            direct.convolution.layoutOf(dnnl.DNNL_ARG_WEIGHTS));
  }

  @Override
  public Primitive reorder() {
    return reorder;
  }

  @Override
  public long runPrepackedWorkspaceBytes() {
    return Operation.align(convolution.scratchpadBytes());
  }

  @Override
  public void runPrepacked(long stream, long input, long prepacked, long output, long workspace) {
    convolution.run(stream, workspace, input, prepacked, output);
  }

  @Override
  public void close() {
    convolution.close();
    reorder.close();
  }
}
