package slimvox.binary;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.memory.Category;

/**
 * What becomes of a tile's sums: batch normalization, shortcut, activation, and the signs that the
 * next layer wants, all in registers; see {@link PackedConvolution} for the formulas.
 *
 * <p>Each step rounds as the training's operation does: alpha s; minus mean; one fused
 * multiply-add; plus shortcut; activation.
 */
final class Epilogue implements AutoCloseable {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final FloatVector ZERO = FloatVector.zero(Lanes.FLOATS);
  private static final IntVector MINUS_TWO = IntVector.broadcast(INTS, -2);
  private static final int LANES = Lanes.LANES;
  private static final int CHANNELS = PopcountKernel.CHANNELS;

  private final int channels;
  private final IntVector filterSizes;
  private final boolean signs;
  private final ChannelActivation.Kind kind;
  private final int padded;
  private final Tensor rows;

  // Addresses of rows of as many floats as the tiles have channels; 0 where there is none.
  private final long alpha;
  private final long mean;
  private final long scale;
  private final long shift;
  private final long slope;
  private final long before;
  private final long after;
  private int used;

  Epilogue(Backend backend, PackedConvolution layer) {
    channels = layer.out();
    filterSizes = IntVector.broadcast(INTS, layer.filterSize());
    signs = layer.form() == WeightForm.W1A1;
    kind = layer.activation().kind();
    padded = CHANNELS * Plane.words(channels);
    rows = backend.allocate(Category.PARAMETER, layer.name() + ".rows", layer.rowCount(), padded);
    backend.ops().fill(rows, 0);
    alpha = row(signs ? layer.alpha() : null); // W1A32 has it in the weights
    mean = row(layer.mean());
    scale = row(layer.scale());
    shift = row(layer.shift());
    slope = row(layer.activation().slope());
    before = row(layer.activation().before());
    after = row(layer.activation().after());
  }

  private long row(float[] values) {
    if (values == null) return 0;
    long row = rows.address() + 4L * padded * used++;
    for (int c = 0; c < channels; c++) Lanes.set(row, c, values[c]);
    return row;
  }

  /** Where the results go, and what is added; addresses of {@link Plane}s, 0 where not wanted. */
  record Target(long floats, long shortcut, long signs, long signShift) {}

  /**
   * Stores the pixels of a group, of counts of differing signs.
   *
   * <p>One vector of channels of all pixels comes after the other, so that what belongs to channels
   * is loaded once. This and {@link #storeSums} are two methods, and each a long one, because the
   * compiler keeps vectors in registers only as far as one method's budget goes.
   *
   * @param counts of the group and tile
   * @param count how many of the pixels there are
   */
  void storeCounts(int[] counts, int tile, int count, PixelGroup group, Target target) {
    int width = Math.min(CHANNELS, channels - CHANNELS * tile);
    int[] negative = group.negative;
    long[] place = group.place;
    Arrays.fill(negative, 0);
    for (int c = 0; c < width; c += LANES) {
      long row = 4L * (CHANNELS * tile + c);
      if (c + LANES > width) {
        storeLast(counts, null, c, width, count, group, target, row);
        break;
      }
      FloatVector a = Lanes.load(alpha + row);
      FloatVector m = Lanes.load(mean + row);
      FloatVector s = Lanes.load(scale + row);
      FloatVector b = Lanes.load(shift + row);
      for (int p = 0; p < count; p++) {
        long at = place[p] * 4 * channels + row;
        FloatVector y = signed(counts, CHANNELS * p + c).mul(a).sub(m).fma(s, b);
        if (target.shortcut != 0) y = y.add(Lanes.load(target.shortcut + at));
        y = activated(y, row);
        if (target.floats != 0) Lanes.store(target.floats + at, y);
        if (target.signs != 0) negative[p] |= negative(y, target.signShift, row) << c;
      }
    }
    if (target.signs != 0) writeSigns(tile, count, group, target.signs);
  }

  /** The same for sums of floats. */
  void storeSums(float[] sums, int tile, int count, PixelGroup group, Target target) {
    int width = Math.min(CHANNELS, channels - CHANNELS * tile);
    int[] negative = group.negative;
    long[] place = group.place;
    Arrays.fill(negative, 0);
    for (int c = 0; c < width; c += LANES) {
      long row = 4L * (CHANNELS * tile + c);
      if (c + LANES > width) {
        storeLast(null, sums, c, width, count, group, target, row);
        break;
      }
      FloatVector m = mean == 0 ? ZERO : Lanes.load(mean + row);
      FloatVector s = Lanes.load(scale + row);
      FloatVector b = Lanes.load(shift + row);
      for (int p = 0; p < count; p++) {
        long at = place[p] * 4 * channels + row;
        FloatVector y =
            FloatVector.fromArray(Lanes.FLOATS, sums, CHANNELS * p + c).sub(m).fma(s, b);
        if (target.shortcut != 0) y = y.add(Lanes.load(target.shortcut + at));
        y = activated(y, row);
        if (target.floats != 0) Lanes.store(target.floats + at, y);
        if (target.signs != 0) negative[p] |= negative(y, target.signShift, row) << c;
      }
    }
    if (target.signs != 0) writeSigns(tile, count, group, target.signs);
  }

  /** Beyond the last channel sums and rows are 0, and so are the bits. */
  private void writeSigns(int tile, int count, PixelGroup group, long signs) {
    int words = Plane.words(channels);
    for (int p = 0; p < count; p++) {
      Lanes.setInt(signs, group.place[p] * words + tile, group.negative[p]);
    }
  }

  /** The same for a vector that goes beyond the last channel. */
  private void storeLast(
      int[] counts,
      float[] sums,
      int c,
      int width,
      int pixels,
      PixelGroup group,
      Target target,
      long row) {
    VectorMask<Float> tail = Lanes.tail(c, width);
    for (int p = 0; p < pixels; p++) {
      long at = group.place[p] * 4 * channels + row;
      int n = CHANNELS * p + c;
      FloatVector y =
          signs
              ? signed(counts, n).mul(Lanes.load(alpha + row))
              : FloatVector.fromArray(Lanes.FLOATS, sums, n);
      if (mean != 0) y = y.sub(Lanes.load(mean + row));
      y = y.fma(Lanes.load(scale + row), Lanes.load(shift + row));
      if (target.shortcut != 0) y = y.add(Lanes.load(target.shortcut + at, tail));
      y = activated(y, row);
      if (target.floats != 0) Lanes.store(target.floats + at, y, tail);
      if (target.signs != 0) group.negative[p] |= negative(y, target.signShift, row) << c;
    }
  }

  /** Sums of products of signs from counts of differing ones. */
  private FloatVector signed(int[] counts, int at) {
    return (FloatVector)
        IntVector.fromArray(INTS, counts, at)
            .mul(MINUS_TWO)
            .add(filterSizes)
            .convert(VectorOperators.I2F, 0);
  }

  private static int negative(FloatVector y, long signShift, long row) {
    if (signShift != 0) y = y.add(Lanes.load(signShift + row));
    return (int) y.compare(VectorOperators.LT, ZERO).toLong();
  }

  private FloatVector activated(FloatVector y, long row) {
    return switch (kind) {
      case NONE -> y;
      case RELU -> y.blend(ZERO, y.compare(VectorOperators.LT, ZERO));
      case PRELU -> bent(y, row);
      case RPRELU -> bent(y.add(Lanes.load(before + row)), row).add(Lanes.load(after + row));
    };
  }

  private FloatVector bent(FloatVector z, long row) {
    return z.mul(Lanes.load(slope + row)).blend(z, z.compare(VectorOperators.GT, ZERO));
  }

  @Override
  public void close() {
    rows.close();
  }
}
