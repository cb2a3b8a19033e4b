package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Normalization;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/**
 * Batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167) of R rows of C channels, with the
 * addition of a shortcut and the ReLU that follow it in a ResNet.
 *
 * <pre>
 * statistics  mean, invStd i = 1 / sqrt(variance + epsilon)   reads x once
 * forward     y = act(gamma i (x - mean) + beta + residual)             reads x, residual; writes y
 * backward    g = dy where y &gt; 0
 *             sums: dbeta = sum g, dgamma = i sum g (x - mean)          reads x, y, dy
 *             dx = gamma i (g - dbeta / R - i (x - mean) dgamma / R)    reads the same; writes dx
 * </pre>
 *
 * <p>What counts is how often a buffer passes through the processor. Backward takes a stretch of
 * rows at a time: g is written to a table that stays in the first-level cache, and used from there.
 * Where no residual was added the sign of y is computed from x again instead of being read. Where a
 * residual gradient is wanted anyway, the first pass writes g there, so that the second reads one
 * buffer less. The second pass goes through memory from the end, as forward does: what the pass
 * before it read last is still in the cache.
 */
public final class CpuNormalization implements Normalization.Kernels {
  private final Parallel parallel;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuNormalization(Parallel parallel) {
    this.parallel = parallel;
  }

  @Override
  public void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor invStd, Tensor workspace) {
    RowCycle cycle = RowCycle.of(x.shape().get(-1), x.size());
    ChannelMoments moments = ChannelMoments.of(parallel, cycle, Elements.of(x));
    for (int c = 0; c < cycle.channels(); c++) {
      set(mean.address(), c, (float) moments.mean[c]);
      double variance = moments.squares[c] / cycle.rows();
      set(invStd.address(), c, (float) (1 / Math.sqrt(variance + epsilon)));
    }
  }

  @Override
  public void updateRunningStatistics(Tensor mean, Tensor invStd, long rows, Running running) {
    double unbiased = rows / Math.max(1.0, rows - 1.0); // of one row the variance is 0
    for (int c = 0; c < mean.size(); c++) {
      double inverse = get(invStd.address(), c);
      double variance = Math.max(0, 1 / (inverse * inverse) - running.epsilon());
      move(running.mean().address(), c, running.momentum(), get(mean.address(), c));
      move(running.variance().address(), c, running.momentum(), variance * unbiased);
    }
  }

  private static void move(long running, int c, float momentum, double value) {
    set(running, c, (float) ((1 - (double) momentum) * get(running, c) + momentum * value));
  }

  @Override
  public void invStdOf(Tensor variance, float epsilon, Tensor invStd) {
    for (int c = 0; c < variance.size(); c++) {
      double v = get(variance.address(), c);
      set(invStd.address(), c, (float) (1 / Math.sqrt(v + epsilon)));
    }
  }

  // ---- forward

  @Override
  public void batchNormalize(Tensor x, Channels channels, Tensor residual, boolean relu, Tensor y) {
    RowCycle cycle = RowCycle.of(x.shape().get(-1), x.size());
    float floor = relu ? 0 : Float.NEGATIVE_INFINITY;
    Elements in = Elements.of(x);
    Elements out = Elements.of(y);
    Elements add = Elements.of(residual);
    float[] means = cycle.array();
    float[] scales = cycle.array();
    float[] shifts = cycle.array();
    for (int c = 0; c < cycle.channels(); c++) {
      means[c] = get(channels.mean().address(), c);
      scales[c] = get(channels.gamma().address(), c) * get(channels.invStd().address(), c);
      shifts[c] = get(channels.beta().address(), c);
    }
    cycle.repeat(means);
    cycle.repeat(scales);
    cycle.repeat(shifts);
    cycle.backwards(
        parallel,
        (at, count, tables) -> {
          long from = in.read(at, count, tables[0]);
          long to = out.place(at, count, tables[1]);
          if (add.exist()) {
            long with = add.read(at, count, tables[2]);
            normalizeAndAddLoop(from, means, scales, shifts, with, floor, to, count);
          } else {
            normalizeLoop(from, means, scales, shifts, floor, to, count);
          }
          out.write(at, count, to);
        });
  }

  private static void normalizeLoop(
      long x, float[] mean, float[] scale, float[] shift, float floor, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector v = load(x + 4L * i).sub(load(mean, i)).fma(load(scale, i), load(shift, i));
      store(y + 4L * i, v.blend(floor, v.lt(floor)));
    }
  }

  private static void normalizeAndAddLoop(
      long x,
      float[] mean,
      float[] scale,
      float[] shift,
      long residual,
      float floor,
      long y,
      int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector v =
          load(x + 4L * i)
              .sub(load(mean, i))
              .fma(load(scale, i), load(shift, i))
              .add(load(residual + 4L * i));
      store(y + 4L * i, v.blend(floor, v.lt(floor)));
    }
  }

  // ---- backward

  @Override
  public void batchNormalizeBackward(
      Tensor x,
      Tensor y,
      Tensor dy,
      Channels channels,
      Tensor dgamma,
      Tensor dbeta,
      boolean accumulate,
      Tensor dresidual,
      Tensor dx,
      Tensor workspace) {
    RowCycle cycle = RowCycle.of(x.shape().get(-1), x.size());
    Elements in = Elements.of(x);
    Elements up = Elements.of(dy);
    Elements down = Elements.of(dx);
    Elements out = Elements.of(y);
    Elements g = Elements.of(dresidual);
    double rows = cycle.rows();
    float[] means = cycle.array();
    float[] scales = cycle.array();
    float[] shifts = channels.beta() == null ? null : cycle.array();
    for (int c = 0; c < cycle.channels(); c++) {
      means[c] = get(channels.mean().address(), c);
      scales[c] = get(channels.gamma().address(), c) * get(channels.invStd().address(), c);
      if (channels.beta() != null) shifts[c] = get(channels.beta().address(), c);
    }
    cycle.repeat(means);
    if (channels.beta() != null) {
      cycle.repeat(scales);
      cycle.repeat(shifts);
    }
    double[][] sums = sums(cycle, in, out, up, channels.mean().address(), g, means, scales, shifts);
    float[] a = cycle.array();
    float[] b = cycle.array();
    float[] k = cycle.array();
    for (int c = 0; c < cycle.channels(); c++) {
      double inverse = get(channels.invStd().address(), c);
      double sumG = sums[0][c];
      double sumGx = sums[1][c] * inverse;
      a[c] = (float) (get(channels.gamma().address(), c) * inverse);
      b[c] = (float) (-inverse * sumGx / rows);
      k[c] = (float) (-sumG / rows);
      float before = accumulate ? get(dbeta.address(), c) : 0;
      set(dbeta.address(), c, (float) (before + sumG));
      before = accumulate ? get(dgamma.address(), c) : 0;
      set(dgamma.address(), c, (float) (before + sumGx));
    }
    if (channels.running() != null) {
      long count = x.shape().rows();
      updateRunningStatistics(channels.mean(), channels.invStd(), count, channels.running());
    }
    cycle.repeat(a);
    cycle.repeat(b);
    cycle.repeat(k);
    cycle.backwards(
        parallel,
        (at, count, tables) -> {
          long values = in.read(at, count, tables[0]);
          long from = tables[1];
          if (g.exist()) {
            from = g.read(at, count, tables[1]);
          } else if (shifts != null) {
            long above = up.read(at, count, tables[1]);
            maskLoop(values, means, scales, shifts, above, from, count);
          } else if (out.exist()) {
            long above = up.read(at, count, tables[1]);
            maskLoop(out.read(at, count, tables[2]), above, from, count);
          } else {
            from = up.read(at, count, tables[1]);
          }
          long to = down.place(at, count, tables[2]);
          gradientLoop(values, from, means, a, b, k, to, count);
          down.write(at, count, to);
        });
  }

  /** Sum of g and of g (x - mean) of each channel; g is written where {@code g} is not 0. */
  private double[][] sums(
      RowCycle cycle,
      Elements x,
      Elements y,
      Elements dy,
      long mean,
      Elements g,
      float[] means,
      float[] scales,
      float[] shifts) {
    int threads = parallel.threads();
    double[][][] totals = new double[threads][][];
    parallel.run(
        cycle.cycles(),
        cycle.length(),
        (part, from, to) -> {
          totals[part] = new double[2][cycle.channels()];
          try (Arena arena = Arena.ofConfined()) {
            long meanTable = cycle.repeat(mean, arena);
            long sums = cycle.table(arena);
            long products = cycle.table(arena);
            long masked = cycle.table(arena);
            long values = cycle.table(arena);
            long outputs = cycle.table(arena);
            for (long block = from; block < to; block += RowCycle.BLOCK) {
              cycle.clear(sums);
              cycle.clear(products);
              for (long c = block; c < Math.min(to, block + RowCycle.BLOCK); c++) {
                long at = c * cycle.length();
                int count = cycle.count(c);
                long in = x.read(at, count, values);
                long above = dy.read(at, count, masked);
                long up = g.exist() ? g.place(at, count, masked) : masked;
                if (shifts != null) {
                  maskLoop(in, means, scales, shifts, above, up, count);
                } else if (y.exist()) {
                  maskLoop(y.read(at, count, outputs), above, up, count);
                } else if (!g.exist()) {
                  up = above;
                } else if (up != above) {
                  Lanes.copy(above, up, count);
                }
                sumLoop(in, up, meanTable, sums, products, count); // up is in the L1 cache
                if (g.exist()) g.write(at, count, up); // which may leave other numbers in a table
              }
              cycle.fold(sums, totals[part][0]);
              cycle.fold(products, totals[part][1]);
            }
          }
        });
    for (int part = 1; part < threads && totals[part] != null; part++) {
      for (int c = 0; c < cycle.channels(); c++) {
        totals[0][0][c] += totals[part][0][c];
        totals[0][1][c] += totals[part][1][c];
      }
    }
    return totals[0];
  }

  /** g = dy where y &gt; 0, else 0. */
  private static void maskLoop(long y, long dy, long g, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(g + 4L * i, masked(load(y + 4L * i), load(dy + 4L * i)));
    }
  }

  /**
   * g = dy where scale (x - mean) + shift &gt; 0, rounded as {@link #normalizeLoop} does; else 0.
   */
  private static void maskLoop(
      long x, float[] mean, float[] scale, float[] shift, long dy, long g, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector y = load(x + 4L * i).sub(load(mean, i)).fma(load(scale, i), load(shift, i));
      store(g + 4L * i, masked(y, load(dy + 4L * i)));
    }
  }

  private static FloatVector masked(FloatVector y, FloatVector dy) {
    return FloatVector.zero(Lanes.FLOATS).blend(dy, y.compare(VectorOperators.GT, 0f));
  }

  private static void sumLoop(long x, long g, long mean, long sums, long products, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector up = load(g + 4L * i);
      store(sums + 4L * i, load(sums + 4L * i).add(up));
      FloatVector d = load(x + 4L * i).sub(load(mean + 4L * i));
      store(products + 4L * i, d.fma(up, load(products + 4L * i)));
    }
  }

  /** dx = a (g + b (x - mean) + k). */
  private static void gradientLoop(
      long x, long g, float[] mean, float[] a, float[] b, float[] k, long dx, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector v = load(x + 4L * i).sub(load(mean, i)).fma(load(b, i), load(k, i));
      store(dx + 4L * i, load(g + 4L * i).add(v).mul(load(a, i)));
    }
  }
}
