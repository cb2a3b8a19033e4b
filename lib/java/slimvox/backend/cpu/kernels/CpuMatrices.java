package slimvox.backend.cpu.kernels;

import java.lang.foreign.Arena;
import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cpu.onednn.OneDnn;

/** Matrix products by oneDNN; what is between a matrix and a row goes along {@link RowCycle}s. */
public final class CpuMatrices implements Matrices.Kernels {
  /** Cycles summed in float32 before they go into float64. */
  private static final int BLOCK = 64;

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
      parallel.run(
          cycle.cycles(),
          cycle.length(),
          (part, from, to) -> {
            try (Arena own = Arena.ofConfined()) {
              long table = out.table(own, cycle.length());
              for (long c = from; c < to; c++) {
                long at = c * cycle.length();
                int count = cycle.count(c);
                RowCycle.add(row, out.read(at, count, table), count);
                out.write(at, count, table);
              }
            }
          });
    }
  }

  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    RowCycle cycle = RowCycle.of(y.shape().get(-1), y.size());
    int channels = cycle.channels();
    double[][] totals = new double[parallel.threads()][];
    Elements in = Elements.of(y);
    parallel.run(
        cycle.cycles(),
        cycle.length(),
        (part, from, to) -> {
          totals[part] = new double[channels];
          try (Arena arena = Arena.ofConfined()) {
            long sums = cycle.table(arena);
            long table = in.table(arena, cycle.length());
            for (long block = from; block < to; block += BLOCK) {
              cycle.clear(sums);
              for (long c = block; c < Math.min(to, block + BLOCK); c++) {
                int count = cycle.count(c);
                RowCycle.add(in.read(c * cycle.length(), count, table), sums, count);
              }
              cycle.fold(sums, totals[part]);
            }
          }
        });
    for (int c = 0; c < channels; c++) {
      double total = accumulate ? Lanes.get(b.address(), c) : 0;
      for (double[] part : totals) if (part != null) total += part[c];
      Lanes.set(b.address(), c, (float) total);
    }
  }
}
