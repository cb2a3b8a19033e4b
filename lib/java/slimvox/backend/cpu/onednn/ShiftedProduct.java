package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Shape;
import slimvox.backend.cpu.Parallel;

/**
 * A convolution from many channels to few, or such a one's gradient, as a product and a sum over
 * taps; see {@link Taps}.
 *
 * <pre>
 * columns[q, (tap, o)] = sum over i of x[q, i] w[o, i, tap]
 * y[p, o] = sum over taps of columns[p + tap, (tap, o)]
 * </pre>
 *
 * <p>For the input's gradient dy takes the place of x, and taps are on the opposite side.
 *
 * <p>The weight is laid out as many x (taps few). The pass's own workspace holds, each aligned to
 * 64 bytes: the columns, the scratch pad.
 */
final class ShiftedProduct implements ConvolutionPass {
  private final Parallel parallel;
  private final Taps taps;
  private final int images; // of one product
  private final Primitive reorder;
  private final MatrixProduct product;
  private final long columnBytes;

  /** The convolution if its output is narrow; else its gradient for the input, which then is. */
  ShiftedProduct(OneDnn library, Convolution g, boolean narrowOutput) {
    parallel = library.parallel();
    taps = Taps.of(g, narrowOutput, narrowOutput ? 1 : -1);
    images = taps.inCache(g.batch(), g.height() * g.width());
    int columns = taps.columns();
    int pixels = Shape.axis((long) images * g.height() * g.width());
    try (Layouts layouts = new Layouts()) {
      long[] lengths = {g.outChannels(), g.inChannels(), g.kernelHeight(), g.kernelWidth()};
      long row = (long) g.kernelWidth() * taps.narrow();
      reorder =
          library.reorder(
              layouts.tagged(dnnl.dnnl_oihw, lengths),
              layouts.strided(
                  lengths,
                  narrowOutput ? 1 : columns,
                  narrowOutput ? columns : 1,
                  row,
                  taps.narrow()),
              false);
    }
    product = new MatrixProduct(library, new Product(false, false, pixels, columns, taps.wide()));
    columnBytes = Operation.align((long) pixels * columns * Float.BYTES);
  }

  @Override
  public Stream<Primitive> primitives() {
    return Stream.concat(Stream.of(reorder), product.primitives());
  }

  @Override
  public long prepackedBytes() {
    return (long) taps.wide() * taps.columns() * Float.BYTES;
  }

  @Override
  public boolean sameLayout(ConvolutionPass other) {
    return other instanceof ShiftedProduct shifted
        && taps.wide() == shifted.taps.wide()
        && taps.narrow() == shifted.taps.narrow()
        && taps.kernelHeight() == shifted.taps.kernelHeight()
        && taps.kernelWidth() == shifted.taps.kernelWidth()
        && taps.direction() == shifted.taps.direction();
  }

  @Override
  public Primitive reorder() {
    return reorder;
  }

  @Override
  public long runPrepackedWorkspaceBytes() {
    return columnBytes + Operation.align(product.workspaceBytes());
  }

  @Override
  public void runPrepacked(long stream, long input, long prepacked, long output, long workspace) {
    long pixels = (long) images * taps.height() * taps.width();
    for (int i = 0; i < taps.batch() / images; i++) {
      long from = input + i * pixels * taps.wide() * Float.BYTES;
      product.run(stream, from, prepacked, workspace, false, workspace + columnBytes);
      taps.sum(parallel, images, workspace, output + i * pixels * taps.narrow() * Float.BYTES);
    }
  }
}
