package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Matrices.Product;

/** A matrix product of fixed shapes: c = op(a) op(b) (+ c), all row-major. */
final class MatrixProduct implements Operation {
  private final Primitive product;
  private final Primitive addingProduct;

  MatrixProduct(OneDnn library, Product p) {
    try (Layouts layouts = new Layouts()) {
      long a = layouts.tagged(p.transposeA() ? dnnl.dnnl_ba : dnnl.dnnl_ab, p.m(), p.k());
      long b = layouts.tagged(p.transposeB() ? dnnl.dnnl_ba : dnnl.dnnl_ab, p.k(), p.n());
      long c = layouts.tagged(dnnl.dnnl_ab, p.m(), p.n());
      product = describe(library, a, b, c, false);
      addingProduct = describe(library, a, b, c, true);
    }
  }

  private static Primitive describe(OneDnn library, long a, long b, long c, boolean accumulate) {
    long engine = library.engine();
    return new Primitive(
        engine,
        Dnnl.matmul(engine, a, b, c, library.attributes(accumulate, false)),
        dnnl.DNNL_ARG_SRC,
        dnnl.DNNL_ARG_WEIGHTS,
        dnnl.DNNL_ARG_DST);
  }

  @Override
  public long workspaceBytes() {
    return Math.max(product.scratchpadBytes(), addingProduct.scratchpadBytes());
  }

  @Override
  public Stream<Primitive> primitives() {
    return Stream.of(product, addingProduct);
  }

  void run(long stream, long a, long b, long c, boolean accumulate, long workspace) {
    (accumulate ? addingProduct : product).run(stream, workspace, a, b, c);
  }
}
