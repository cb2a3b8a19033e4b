package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.cpu.Lanes;

/** A convolution, or its gradient for the input, by a convolution of oneDNN. */
final class DirectConvolution implements ConvolutionPass {
  private final Primitive convolution;
  private final Primitive reorder;
  private final Convolution mirrored; // of which the kernels are turned; null: as they are

  private DirectConvolution(
      ConvolutionLayouts layouts, Primitive convolution, Convolution mirrored) {
    this.convolution = convolution;
    this.mirrored = mirrored;
    reorder = layouts.fromPlain(convolution);
  }

  /** y = (y +) x * weight, with a y of this type: {@link #run} takes x, weight, y. */
  static DirectConvolution forward(
      OneDnn library, Convolution geometry, DataType out, boolean accumulate) {
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, geometry, out)) {
      return new DirectConvolution(layouts, layouts.forward(accumulate), null);
    }
  }

  /** y = act(x * weight + bias (+ y)) with a weight that is laid out, see {@link #run}. */
  static DirectConvolution ending(
      OneDnn library, Convolution geometry, boolean accumulate, boolean relu) {
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, geometry)) {
      return new DirectConvolution(layouts, layouts.ending(accumulate, relu), null);
    }
  }

  /** dx = dy correlated with the flipped weight: {@link #run} takes dy, weight, dx. */
  static DirectConvolution backwardData(OneDnn library, Convolution geometry) {
    if (isMirrored(geometry)) {
      try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, mirrored(geometry))) {
        return new DirectConvolution(layouts, layouts.forward(false), geometry);
      }
    }
    try (ConvolutionLayouts layouts = new ConvolutionLayouts(library, geometry)) {
      return new DirectConvolution(layouts, layouts.backwardData(), null);
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
  public Stream<Primitive> primitives() {
    return Stream.of(convolution, reorder);
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

  private long mirrorBytes() {
    return mirrored == null ? 0 : Operation.align(mirrored.weightShape().size() * Float.BYTES);
  }

  @Override
  public long prepackWorkspaceBytes() {
    return mirrorBytes() + ConvolutionPass.super.prepackWorkspaceBytes();
  }

  @Override
  public void prepack(long stream, long weight, long prepacked, long workspace) {
    if (mirrored != null) mirror(weight, workspace);
    long plain = mirrored == null ? weight : workspace;
    reorder.run(stream, workspace + mirrorBytes(), plain, prepacked);
  }

  /** Copies a depthwise weight with each kernel turned by 180 degrees. */
  private void mirror(long weight, long to) {
    int taps = mirrored.kernelHeight() * mirrored.kernelWidth();
    long size = mirrored.weightShape().size();
    for (long first = 0; first < size; first += taps) {
      for (int i = 0; i < taps; i++) {
        Lanes.set(to, first + taps - 1 - i, Lanes.get(weight, first + i));
      }
    }
  }

  /** Runs what {@link #ending} made on x, the laid out weight, y and the bias. */
  void run(long stream, long workspace, long... addresses) {
    convolution.run(stream, workspace, addresses);
  }

  @Override
  public long runPrepackedWorkspaceBytes() {
    return Operation.align(convolution.scratchpadBytes());
  }

  @Override
  public void runPrepacked(long stream, long input, long prepacked, long output, long workspace) {
    convolution.run(stream, workspace, input, prepacked, output);
  }
}
