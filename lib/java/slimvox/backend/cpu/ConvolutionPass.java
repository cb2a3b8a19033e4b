package slimvox.backend.cpu;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;

/**
 * One of the three passes of a convolution of fixed geometry, ready to run on addresses.
 *
 * <p>Activations are nhwc in memory, which oneDNN reads as they are. The weight, and its gradient,
 * are in the layout that the chosen implementation likes, in the workspace, and one reorder leads
 * to or from the parameter's own oihw. A plain oihw weight would fall to reference code, 190 times
 * slower.
 *
 * <p>The workspace holds, each aligned to 64 bytes: dense pixels (see {@link #isGathered}), weight,
 * scratch pad.
 */
final class ConvolutionPass implements Operation {
  /** Which pass. */
  enum Kind {
    FORWARD,
    BACKWARD_DATA,
    BACKWARD_WEIGHT
  }

  private final Kind kind;
  private final Convolution geometry;
  private final List<Primitive> primitives = new ArrayList<>();
  private final Primitive convolution;
  private final Primitive reorder;
  private final Primitive addingReorder;
  private final StridedPixels gather;
  private final long weightOffset;
  private final long scratchpadOffset;
  private final long workspaceBytes;

  /** Chooses implementations; no code is generated. */
  ConvolutionPass(OneDnn library, Kind kind, Convolution original) {
    this.kind = kind;
    boolean gathered = isGathered(original);
    Convolution g = gathered ? dense(original) : original;
    geometry = original;
    long weightBytes;

    try (Layouts layouts = new Layouts()) {
      long x = layouts.tagged(dnnl.dnnl_nhwc, g.batch(), g.inChannels(), g.height(), g.width());
      long y =
          layouts.tagged(dnnl.dnnl_nhwc, g.batch(), g.outChannels(), g.outHeight(), g.outWidth());
      long weight = layouts.tagged(dnnl.dnnl_format_tag_any, weightLengths(g));
      long plain =
          layouts.tagged(g.groups() > 1 ? dnnl.dnnl_goihw : dnnl.dnnl_oihw, weightLengths(g));
      convolution = add(convolution(library, g, x, weight, y));
      if (kind == Kind.BACKWARD_WEIGHT) {
        long chosen = convolution.layoutOf(dnnl.DNNL_ARG_DIFF_WEIGHTS);
        reorder = add(library.reorder(chosen, plain, false));
        addingReorder = add(library.reorder(chosen, plain, true));
        weightBytes = Dnnl.bytes(chosen);
      } else {
        long chosen = convolution.layoutOf(dnnl.DNNL_ARG_WEIGHTS);
        boolean same = Dnnl.equal(chosen, plain);
        reorder = same ? null : add(library.reorder(plain, chosen, false));
        addingReorder = null;
        weightBytes = same ? 0 : Dnnl.bytes(chosen);
      }
      weightOffset = gathered ? align(Dnnl.bytes(x)) : 0;
    }
    gather = gathered ? new StridedPixels(original) : null;
    scratchpadOffset = weightOffset + align(weightBytes);
    long scratchpad = 0;
    for (Primitive p : primitives) scratchpad = Math.max(scratchpad, p.scratchpadBytes());
    workspaceBytes = scratchpadOffset + scratchpad;
  }

  private Primitive add(Primitive primitive) {
    primitives.add(primitive);
    return primitive;
  }

  private Primitive convolution(OneDnn library, Convolution g, long x, long weight, long y) {
    long engine = library.engine();
    long attributes = library.attributes(false);
    long[] strides = {g.strideHeight(), g.strideWidth()};
    long[] padding = {g.padHeight(), g.padWidth()};
    long forward = Dnnl.convolution(engine, x, weight, y, strides, padding, attributes);
    if (kind == Kind.FORWARD) {
      return new Primitive(
          engine, forward, dnnl.DNNL_ARG_SRC, dnnl.DNNL_ARG_WEIGHTS, dnnl.DNNL_ARG_DST);
    }
    try {
      if (kind == Kind.BACKWARD_DATA) {
        return new Primitive(
            engine,
            Dnnl.convolutionBackwardData(
                engine, x, weight, y, strides, padding, forward, attributes),
            dnnl.DNNL_ARG_DIFF_DST,
            dnnl.DNNL_ARG_WEIGHTS,
            dnnl.DNNL_ARG_DIFF_SRC);
      }
      return new Primitive(
          engine,
          Dnnl.convolutionBackwardWeight(
              engine, x, weight, y, strides, padding, forward, attributes),
          dnnl.DNNL_ARG_SRC,
          dnnl.DNNL_ARG_DIFF_DST,
          dnnl.DNNL_ARG_DIFF_WEIGHTS);
    } finally {
      Dnnl.destroy("primitive_desc", forward);
    }
  }

  /**
   * True for a backward-weight pass that oneDNN 3.12 gets wrong: 1x1, strided, few channels.
   *
   * <p>It writes past its buffers there (notes on the peers, section 7). The pixels that such a
   * convolution sees are copied into the workspace, and then it has no stride.
   */
  private boolean isGathered(Convolution g) {
    return kind == Kind.BACKWARD_WEIGHT
        && g.kernelHeight() == 1
        && g.kernelWidth() == 1
        && g.strideHeight() * g.strideWidth() > 1
        && g.padHeight() + g.padWidth() == 0
        && g.inChannels() / g.groups() < 16;
  }

  private static Convolution dense(Convolution g) {
    return new Convolution(
        g.batch(),
        g.outHeight(),
        g.outWidth(),
        g.inChannels(),
        g.outChannels(),
        1,
        1,
        1,
        1,
        0,
        0,
        g.groups());
  }

  private static long[] weightLengths(Convolution g) {
    int in = g.inChannels() / g.groups();
    return g.groups() == 1
        ? new long[] {g.outChannels(), in, g.kernelHeight(), g.kernelWidth()}
        : new long[] {
          g.groups(), g.outChannels() / g.groups(), in, g.kernelHeight(), g.kernelWidth()
        };
  }

  private static long align(long bytes) {
    return (bytes + 63) & -64;
  }

  @Override
  public long workspaceBytes() {
    return workspaceBytes;
  }

  @Override
  public List<String> implementations() {
    return primitives.stream().map(Primitive::implementation).toList();
  }

  /** FORWARD: input x, output y. BACKWARD_DATA: input dy, output dx. */
  void run(long stream, long input, long weight, long output, long workspace) {
    long scratchpad = workspace + scratchpadOffset;
    long chosen = weight;
    if (reorder != null) {
      chosen = workspace + weightOffset;
      reorder.run(stream, scratchpad, weight, chosen);
    }
    convolution.run(stream, scratchpad, input, chosen, output);
  }

  /** BACKWARD_WEIGHT: dweight = (dweight +) x correlated with dy. */
  void runBackwardWeight(
      long stream, long x, long dy, long dweight, boolean accumulate, long workspace) {
    long scratchpad = workspace + scratchpadOffset;
    long chosen = workspace + weightOffset;
    long pixels = x;
    if (gather != null) {
      pixels = workspace;
      gather.copy(x, pixels);
    }
    convolution.run(stream, scratchpad, pixels, dy, chosen);
    (accumulate ? addingReorder : reorder).run(stream, scratchpad, chosen, dweight);
  }

  @Override
  public void close() {
    primitives.forEach(Primitive::close);
  }

  @Override
  public String toString() {
    return kind + " of " + geometry + " by " + implementations();
  }
}
