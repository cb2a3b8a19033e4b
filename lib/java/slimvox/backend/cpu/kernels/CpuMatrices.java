package slimvox.backend.cpu.kernels;

import java.lang.foreign.Arena;
import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cpu.onednn.OneDnn;

/** Matrix products by oneDNN; what is between a matrix and a row goes along {@link RowCycle}s. */
public final class CpuMatrices implements Matrices.Kernels {
  private final OneDnn oneDnn;
  private final Parallel parallel;

  /** Kernels that share {@code oneDnn} with the other families. */
  public CpuMatrices(OneDnn oneDnn) {
    this.oneDnn = oneDnn;
    this.parallel = oneDnn.parallel();
  }

  @Override
  public long matmulWorkspace(Product p) {
    return oneDnn.matmulWorkspace(p);
  }

  @Override
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    oneDnn.matmul(p, a, b, c, accumulate, workspace);
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {
    RowCycle cycle = RowCycle.of(y.shape().get(-1), y.size());
    Elements out = Elements.of(y);
    try (Arena arena = Arena.ofConfined()) {
      long row = cycle.repeat(b.address(), arena);
      cycle.backwards(
          parallel,
          (at, count, tables) -> {
            long place = out.read(at, count, tables[0]);
            RowCycle.addLoop(row, place, count);
            out.write(at, count, place);
          });
    }
  }

  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    Elements in = Elements.of(y);
    RowCycle.of(y.shape().get(-1), y.size())
        .sum(
            parallel,
            b,
            accumulate,
            (at, count, tables, sums) ->
                RowCycle.addLoop(in.read(at, count, tables[0]), sums, count));
  }
}
