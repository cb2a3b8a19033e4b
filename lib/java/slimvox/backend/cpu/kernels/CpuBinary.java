package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Binary;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/**
 * Binary weights, see {@link BinaryFilters}, and activations with a parameter for each channel.
 *
 * <p>What belongs to a channel is repeated along a {@link RowCycle}'s table, so that the loops run
 * in whole vectors whatever the number of channels.
 */
public final class CpuBinary implements Binary.Kernels {
  private final Parallel parallel;
  private final BinaryFilters filters;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuBinary(Parallel parallel) {
    this.parallel = parallel;
    this.filters = new BinaryFilters(parallel);
  }

  @Override
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    filters.binarize(weight, scaled, alpha, binary);
  }

  @Override
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    filters.backward(weight, alpha, gradient, dbinary, dweight, accumulate);
  }

  // ---- sign

  @Override
  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    Shape s = x.shape();
    int channels = s.get(3);
    int border = (y.shape().get(1) - s.get(1)) / 2;
    long paddedRow = (long) y.shape().get(2) * channels;
    int count = Shape.axis((long) s.get(2) * channels);
    long edge = (long) border * channels;
    RowCycle cycle = RowCycle.of(channels, count);
    int height = s.get(1);
    int paddedHeight = y.shape().get(1);
    Elements in = Elements.of(x);
    Elements out = Elements.of(y);
    try (Arena arena = Arena.ofConfined()) {
      long shifts = shift == null ? cycle.table(arena) : cycle.repeat(shift.address(), arena);
      parallel.run(
          (long) s.get(0) * paddedHeight,
          paddedRow,
          (part, from, to) -> {
            try (Arena own = Arena.ofConfined()) {
              long before = cycle.table(own);
              long after = Elements.table(own, Math.max(Elements.STRIP, cycle.length()));
              for (long row = from; row < to; row++) {
                long h = row % paddedHeight - border;
                long target = row * paddedRow;
                if (h < 0 || h >= height) {
                  ones(out, target, paddedRow, after);
                  continue;
                }
                ones(out, target, edge, after);
                long source = (row / paddedHeight * height + h) * count;
                for (int done = 0; done < count; done += cycle.length()) {
                  int run = Math.min(cycle.length(), count - done);
                  long at = target + edge + done;
                  long place = out.place(at, run, after);
                  signs(in.read(source + done, run, before), shifts, place, run);
                  out.write(at, run, place);
                }
                ones(out, target + edge + count, edge, after);
              }
            }
          });
    }
  }

  private static void ones(Elements y, long from, long count, long table) {
    for (long done = 0; done < count; done += Elements.STRIP) {
      int run = (int) Math.min(Elements.STRIP, count - done);
      long place = y.place(from + done, run, table);
      ones(place, run);
      y.write(from + done, run, place);
    }
  }

  private static void ones(long y, int count) {
    FloatVector one = FloatVector.broadcast(Lanes.FLOATS, 1f);
    for (int i = 0; i < count; i += LANES) store(y + 4L * i, one);
  }

  private static void signs(long x, long shift, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector z = load(x + 4L * i).add(load(shift + 4L * i));
      store(y + 4L * i, BinaryFilters.signed(z, 1));
    }
  }

  @Override
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    Shape s = x.shape();
    int channels = s.get(3);
    int border = (dy.shape().get(1) - s.get(1)) / 2;
    long paddedRow = (long) dy.shape().get(2) * channels;
    int count = Shape.axis((long) s.get(2) * channels);
    RowCycle cycle = RowCycle.of(channels, count);
    int height = s.get(1);
    int paddedHeight = dy.shape().get(1);
    long corner = border * paddedRow + (long) border * channels;
    Elements in = Elements.of(x);
    Elements up = Elements.of(dy);
    Elements down = Elements.of(dx);
    try (Arena arena = Arena.ofConfined()) {
      long shifts = shift == null ? cycle.table(arena) : cycle.repeat(shift.address(), arena);
      parallel.run(
          (long) s.get(0) * height,
          count,
          (part, from, to) -> {
            try (Arena own = Arena.ofConfined()) {
              long values = cycle.table(own);
              long above = cycle.table(own);
              long below = cycle.table(own);
              for (long row = from; row < to; row++) {
                long padded = row / height * paddedHeight + row % height;
                for (int done = 0; done < count; done += cycle.length()) {
                  long at = row * count + done;
                  int run = Math.min(cycle.length(), count - done);
                  long z = in.read(at, run, values);
                  long dz = up.read(corner + padded * paddedRow + done, run, above);
                  long place = down.place(at, run, below);
                  approximateSlopes(z, shifts, dz, place, run);
                  down.write(at, run, place);
                }
              }
            }
          });
    }
  }

  private static void approximateSlopes(long x, long shift, long dy, long dx, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector z = load(x + 4L * i).add(load(shift + 4L * i));
      store(dx + 4L * i, approximateSlope(z).mul(load(dy + 4L * i)));
    }
  }

  /** max(0, 2 - 2 |z|). */
  private static FloatVector approximateSlope(FloatVector z) {
    FloatVector two = FloatVector.broadcast(Lanes.FLOATS, 2f);
    return two.sub(z.abs().mul(2f)).max(0f);
  }

  // ---- a matrix and a row

  @Override
  public void scaleRows(Tensor scale, Tensor y) {
    RowCycle cycle = RowCycle.of(y.shape().get(-1), y.size());
    Elements out = Elements.of(y);
    try (Arena arena = Arena.ofConfined()) {
      long scales = cycle.repeat(scale.address(), arena);
      cycle.backwards(
          parallel,
          (at, count, tables) -> {
            long place = out.read(at, count, tables[0]);
            multiply(scales, place, count);
            out.write(at, count, place);
          });
    }
  }

  private static void multiply(long scale, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(y + 4L * i, load(y + 4L * i).mul(load(scale + 4L * i)));
    }
  }

  // ---- PReLU

  @Override
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    RowCycle cycle = RowCycle.of(x.shape().get(-1), x.size());
    Elements in = Elements.of(x);
    Elements out = Elements.of(y);
    try (Arena arena = Arena.ofConfined()) {
      long shifts = shift == null ? cycle.table(arena) : cycle.repeat(shift.address(), arena);
      long slopes = cycle.repeat(slope.address(), arena);
      cycle.backwards(
          parallel,
          (at, count, tables) -> {
            long place = out.place(at, count, tables[1]);
            prelu(in.read(at, count, tables[0]), shifts, slopes, place, count);
            out.write(at, count, place);
          });
    }
  }

  private static void prelu(long x, long shift, long slope, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector z = load(x + 4L * i).add(load(shift + 4L * i));
      store(y + 4L * i, bent(z, z, load(slope + 4L * i)));
    }
  }

  /** v where z is above 0, else slope v. */
  private static FloatVector bent(FloatVector z, FloatVector v, FloatVector slope) {
    return v.mul(slope).blend(v, z.compare(VectorOperators.GT, 0f));
  }

  @Override
  public void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate,
      Tensor workspace) {
    RowCycle cycle = RowCycle.of(x.shape().get(-1), x.size());
    Elements in = Elements.of(x);
    Elements up = Elements.of(dy);
    Elements down = Elements.of(dx);
    try (Arena arena = Arena.ofConfined()) {
      long shifts = shift == null ? cycle.table(arena) : cycle.repeat(shift.address(), arena);
      long slopes = cycle.repeat(slope.address(), arena);
      cycle.sum(
          parallel,
          dslope,
          accumulate,
          (at, count, tables, sums) -> {
            long z = in.read(at, count, tables[0]);
            long dz = up.read(at, count, tables[1]);
            long place = down.place(at, count, tables[2]);
            preluBackward(z, shifts, slopes, dz, place, sums, count);
            down.write(at, count, place);
          });
    }
  }

  private static void preluBackward(
      long x, long shift, long slope, long dy, long dx, long sums, int count) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < count; i += LANES) {
      FloatVector z = load(x + 4L * i).add(load(shift + 4L * i));
      FloatVector g = load(dy + 4L * i);
      store(sums + 4L * i, load(sums + 4L * i).add(g.mul(z.min(zero))));
      store(dx + 4L * i, bent(z, g, load(slope + 4L * i)));
    }
  }
}
