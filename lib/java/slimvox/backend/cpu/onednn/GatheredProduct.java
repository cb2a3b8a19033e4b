package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.Matrices.Product;
import slimvox.backend.cpu.Parallel;

/**
 * The gradient of a convolution between many channels and few for its weight, as a product; see
 * {@link Taps}.
 *
 * <pre>
 * few outputs   columns[q, (tap, o)] = dy[q - tap, o]
 *               dw[o, i, tap] = sum over q of columns[q, (tap, o)] x[q, i]
 * few inputs    columns[p, (tap, i)] = x[p + tap, i]
 *               dw[o, i, tap] = sum over p of columns[p, (tap, i)] dy[p, o]
 * </pre>
 *
 * <p>The workspace holds, each aligned to 64 bytes: the columns, the gradient as (taps few) x many,
 * the scratch pad.
 */
final class GatheredProduct implements WeightGradientPass {
  private final Parallel parallel;
  private final Taps taps;
  private final boolean narrowOutput;
  private final int rows; // of images, of one product
  private final MatrixProduct product;
  private final Reorders reorders;
  private final long gradientOffset;
  private final long scratchpadOffset;

  GatheredProduct(OneDnn library, Convolution g) {
    parallel = library.parallel();
    narrowOutput = g.outChannels() < g.inChannels();
    taps = Taps.of(g, narrowOutput, narrowOutput ? -1 : 1);
    rows = taps.inCache(g.batch() * g.height(), g.width());
    int columns = taps.columns();
    int many = taps.wide();
    product = new MatrixProduct(library, new Product(true, false, columns, many, rows * g.width()));
    try (Layouts layouts = new Layouts()) {
      long[] lengths = {g.outChannels(), g.inChannels(), g.kernelHeight(), g.kernelWidth()};
      long tap = (long) taps.narrow() * many;
      long from =
          layouts.strided(
              lengths,
              narrowOutput ? many : 1,
              narrowOutput ? 1 : many,
              g.kernelWidth() * tap,
              tap);
      long to = layouts.tagged(dnnl.dnnl_oihw, lengths);
      reorders = new Reorders(library.reorder(from, to, false), library.reorder(from, to, true));
    }
    gradientOffset = Operation.align((long) rows * g.width() * columns * Float.BYTES);
    scratchpadOffset = gradientOffset + Operation.align((long) columns * many * Float.BYTES);
  }

  @Override
  public long workspaceBytes() {
    return scratchpadOffset + Math.max(product.workspaceBytes(), reorders.scratchpadBytes());
  }

  @Override
  public Stream<Primitive> primitives() {
    return Stream.concat(product.primitives(), reorders.primitives());
  }

  @Override
  public void run(long stream, long x, long dy, long dweight, boolean accumulate, long workspace) {
    long gradient = workspace + gradientOffset;
    long scratchpad = workspace + scratchpadOffset;
    long few = narrowOutput ? dy : x;
    long many = narrowOutput ? x : dy;
    long rowBytes = (long) taps.width() * taps.wide() * Float.BYTES;
    for (int row = 0; row < taps.batch() * taps.height(); row += rows) {
      taps.gather(parallel, few, row, rows, workspace);
      product.run(stream, workspace, many + row * rowBytes, gradient, row > 0, scratchpad);
    }
    reorders.run(stream, gradient, dweight, accumulate, scratchpad);
  }
}
