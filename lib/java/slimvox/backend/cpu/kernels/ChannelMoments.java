package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Parallel;

/**
 * Number, mean and sum of squared deviations of each column of a matrix, in one pass over memory.
 *
 * <p>The matrix is read in blocks that fit the second-level cache. For each block the mean of its
 * first eighth is taken as a shift K, then sum (x - K) and sum (x - K)^2 of the whole block in
 * blocked float32. The distance of K from the block's mean is at most sqrt(7) of its deviations (of
 * n values an n/8 subset cannot have a mean further out), so no digits are lost however far from 0
 * the mean is. Blocks are joined in float64 by the rule of Chan, Golub and LeVeque 1983.
 */
final class ChannelMoments {
  /** Elements of a block: 256 KiB. */
  private static final int BLOCK = 1 << 16;

  private long rows;
  final double[] mean;
  final double[] squares;

  private ChannelMoments(int channels) {
    mean = new double[channels];
    squares = new double[channels];
  }

  /** The moments of the columns of a matrix. */
  static ChannelMoments of(Parallel parallel, RowCycle cycle, Elements x) {
    ChannelMoments[] parts = new ChannelMoments[parallel.threads()];
    parallel.run(
        cycle.cycles(),
        cycle.length(),
        (part, from, to) -> {
          ChannelMoments m = new ChannelMoments(cycle.channels());
          parts[part] = m;
          try (Arena arena = Arena.ofConfined()) {
            m.read(cycle, x, from, to, arena);
          }
        });
    ChannelMoments all = parts[0];
    for (int p = 1; p < parts.length; p++) {
      ChannelMoments other = parts[p];
      if (other != null) all.join(other.rows, other.mean, other.squares);
    }
    return all;
  }

  private void read(RowCycle cycle, Elements x, long from, long to, Arena arena) {
    int length = cycle.length();
    int channels = cycle.channels();
    long block = Math.max(1, BLOCK / length);
    long table = cycle.table(arena);
    long shift = cycle.table(arena);
    long sums = cycle.table(arena);
    long squareSums = cycle.table(arena);
    double[] blockMean = new double[channels];
    double[] blockSquares = new double[channels];
    for (long start = from; start < to; start += block) {
      long end = Math.min(to, start + block);
      long blockRows = 0;
      for (long c = start; c < end; c++) blockRows += cycle.count(c) / channels;

      long sampleEnd = start + (end - start + 7) / 8;
      long sampleRows = 0;
      cycle.clear(sums);
      for (long c = start; c < sampleEnd; c++) {
        RowCycle.addLoop(x.read(c * length, cycle.count(c), table), sums, cycle.count(c));
        sampleRows += cycle.count(c) / channels;
      }
      Arrays.fill(blockMean, 0);
      cycle.fold(sums, blockMean);
      for (int c = 0; c < channels; c++) set(shift, c, (float) (blockMean[c] / sampleRows));
      cycle.repeat(shift);

      cycle.clear(sums);
      cycle.clear(squareSums);
      for (long c = start; c < end; c++) {
        int count = cycle.count(c);
        long at = x.read(c * length, count, table);
        // What is behind the count, in the table then, adds nothing.
        for (int i = count; i % LANES != 0; i++) set(at, i, get(shift, i));
        sumShiftedLoop(at, count, shift, sums, squareSums);
      }
      Arrays.fill(blockMean, 0);
      Arrays.fill(blockSquares, 0);
      cycle.fold(sums, blockMean);
      cycle.fold(squareSums, blockSquares);
      for (int c = 0; c < channels; c++) {
        double offset = blockMean[c] / blockRows;
        blockSquares[c] = Math.max(0, blockSquares[c] - offset * blockMean[c]);
        blockMean[c] = get(shift, c) + offset;
      }
      join(blockRows, blockMean, blockSquares);
    }
  }

  private void join(long otherRows, double[] otherMean, double[] otherSquares) {
    double total = rows + otherRows;
    double weight = otherRows / total;
    for (int c = 0; c < mean.length; c++) {
      double apart = otherMean[c] - mean[c];
      mean[c] += apart * weight;
      squares[c] += otherSquares[c] + apart * apart * weight * rows;
    }
    rows += otherRows;
  }

  private static void sumShiftedLoop(long x, int count, long shift, long sums, long squareSums) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector d = load(x + 4L * i).sub(load(shift + 4L * i));
      store(sums + 4L * i, load(sums + 4L * i).add(d));
      store(squareSums + 4L * i, d.fma(d, load(squareSums + 4L * i)));
    }
  }
}
