package slimvox.backend.cpu.onednn;

import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;

/**
 * The memory descriptors of a convolution's tensors, and the primitives made from them.
 *
 * <p>Activations are nhwc in memory, which oneDNN reads as they are. The weight, and its gradient,
 * are in the layout that the chosen implementation likes, and a reorder leads to or from the
 * parameter's own oihw. A convolution on plain oihw would fall to reference code, 190 times slower.
 * Parameters and their gradients are float32; the reorder rounds a weight that is to meet bfloat16.
 */
final class ConvolutionLayouts implements AutoCloseable {
  private final OneDnn library;
  private final Layouts layouts = new Layouts();
  private final long[] strides;
  private final long[] padding;
  private final long x;
  private final long y;
  private final long anyWeight;
  private final long anyGradient;
  private final long plainWeight;
  private final int channels; // of y

  /** Of float32, or of bfloat16 where the geometry is of that type. */
  ConvolutionLayouts(OneDnn library, Convolution g) {
    this(library, g, g.type());
  }

  /** The same with a y of this type. */
  ConvolutionLayouts(OneDnn library, Convolution g, DataType out) {
    this(library, g, libraryType(g.type()), libraryType(g.type()), libraryType(out));
  }

  /** Of x, weights and y of these types of the library. */
  ConvolutionLayouts(OneDnn library, Convolution g, int in, int weights, int out) {
    this.library = library;
    channels = g.outChannels();
    strides = new long[] {g.strideHeight(), g.strideWidth()};
    padding = new long[] {g.padHeight(), g.padWidth()};
    int nhwc = dnnl.dnnl_nhwc;
    x = layouts.typed(in, nhwc, g.batch(), g.inChannels(), g.height(), g.width());
    y = layouts.typed(out, nhwc, g.batch(), g.outChannels(), g.outHeight(), g.outWidth());
    int ofX = g.inChannels() / g.groups();
    int ofY = g.outChannels() / g.groups();
    long[] lengths =
        g.groups() == 1
            ? new long[] {ofY, ofX, g.kernelHeight(), g.kernelWidth()}
            : new long[] {g.groups(), ofY, ofX, g.kernelHeight(), g.kernelWidth()};
    anyWeight = layouts.typed(weights, dnnl.dnnl_format_tag_any, lengths);
    anyGradient = layouts.tagged(dnnl.dnnl_format_tag_any, lengths);
    plainWeight = layouts.tagged(g.groups() == 1 ? dnnl.dnnl_oihw : dnnl.dnnl_goihw, lengths);
  }

  private static int libraryType(DataType type) {
    return type == DataType.BFLOAT16 ? dnnl.dnnl_bf16 : dnnl.dnnl_f32;
  }

  /** Takes x, weight, y; y may be added to. */
  Primitive forward(boolean accumulate) {
    return new Primitive(
        library.engine(),
        describeForward(0, accumulate, false),
        dnnl.DNNL_ARG_SRC,
        dnnl.DNNL_ARG_WEIGHTS,
        dnnl.DNNL_ARG_DST);
  }

  /** Takes x, weight, y, bias; ends with a ReLU or not. */
  Primitive ending(boolean accumulate, boolean relu) {
    long bias = layouts.tagged(dnnl.dnnl_a, channels);
    return new Primitive(
        library.engine(),
        describeForward(bias, accumulate, relu),
        dnnl.DNNL_ARG_SRC,
        dnnl.DNNL_ARG_WEIGHTS,
        dnnl.DNNL_ARG_DST,
        dnnl.DNNL_ARG_BIAS);
  }

  /** Takes dy, weight, dx. */
  Primitive backwardData() {
    return backward(false, dnnl.DNNL_ARG_DIFF_DST, dnnl.DNNL_ARG_WEIGHTS, dnnl.DNNL_ARG_DIFF_SRC);
  }

  /** Takes x, dy, dweight. */
  Primitive backwardWeight() {
    return backward(true, dnnl.DNNL_ARG_SRC, dnnl.DNNL_ARG_DIFF_DST, dnnl.DNNL_ARG_DIFF_WEIGHTS);
  }

  private Primitive backward(boolean ofWeight, int... arguments) {
    long engine = library.engine();
    long weight = ofWeight ? anyGradient : anyWeight;
    long attributes = library.attributes(false, false);
    long forward = describeForward(0, false, false);
    try {
      long described =
          Dnnl.convolutionBackward(
              ofWeight, engine, x, weight, y, strides, padding, forward, attributes);
      return new Primitive(engine, described, arguments);
    } finally {
      Dnnl.destroy("primitive_desc", forward);
    }
  }

  private long describeForward(long bias, boolean accumulate, boolean relu) {
    long attributes = library.attributes(accumulate, relu);
    return Dnnl.convolution(library.engine(), x, anyWeight, bias, y, strides, padding, attributes);
  }

  /** From the parameter's layout to that of a {@link #forward} or {@link #backwardData}. */
  Primitive fromPlain(Primitive convolution) {
    return library.reorder(plainWeight, convolution.layoutOf(dnnl.DNNL_ARG_WEIGHTS), false);
  }

  /** From the layout of a {@link #backwardWeight} to the parameter's, added to it or not. */
  Primitive toPlain(Primitive convolution, boolean accumulate) {
    long chosen = convolution.layoutOf(dnnl.DNNL_ARG_DIFF_WEIGHTS);
    return library.reorder(chosen, plainWeight, accumulate);
  }

  @Override
  public void close() {
    layouts.close();
  }
}
