package slimvox.binary;

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
  private static final int LANES = Lanes.LANES;
  private static final int CHANNELS = PopcountKernel.CHANNELS;

  private final int channels;
  private final int filterSize;
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
    filterSize = layer.filterSize();
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
   * Stores the pixels of a group.
   *
   * @param counts of the group and tile, for W1A1
   * @param sums of the group and tile, for the others
   * @param count how many of the pixels there are
   * @param place of each pixel in the planes
   */
  void store(int[] counts, float[] sums, int tile, int count, long[] place, Target target) {
    int width = Math.min(CHANNELS, channels - CHANNELS * tile);
    long first = 4L * CHANNELS * tile;
    int words = Plane.words(channels);
    for (int p = 0; p < count; p++) {
      long at = place[p] * 4 * channels + first;
      long negative = 0;
      for (int c = 0; c < width; c += LANES) {
        long row = first + 4L * c;
        FloatVector y = normalized(counts, sums, CHANNELS * p + c, row);
        if (c + LANES <= width) {
          if (target.shortcut != 0) y = y.add(Lanes.load(target.shortcut + at + 4L * c));
          y = activated(y, row);
          if (target.floats != 0) Lanes.store(target.floats + at + 4L * c, y);
        } else {
          VectorMask<Float> tail = Lanes.tail(c, width);
          if (target.shortcut != 0) y = y.add(Lanes.load(target.shortcut + at + 4L * c, tail));
          y = activated(y, row);
          if (target.floats != 0) Lanes.store(target.floats + at + 4L * c, y, tail);
        }
        if (target.signs != 0) {
          if (target.signShift != 0) y = y.add(Lanes.load(target.signShift + row));
          negative |= y.compare(VectorOperators.LT, ZERO).toLong() << c;
        }
      }
      // Beyond the last channel sums and rows are 0, and so are the bits.
      if (target.signs != 0) Lanes.setInt(target.signs, place[p] * words + tile, (int) negative);
    }
  }

  private FloatVector normalized(int[] counts, float[] sums, int at, long row) {
    FloatVector s;
    if (signs) {
      s =
          (FloatVector)
              IntVector.fromArray(INTS, counts, at)
                  .mul(-2)
                  .add(filterSize)
                  .convert(VectorOperators.I2F, 0);
      s = s.mul(Lanes.load(alpha + row)).sub(Lanes.load(mean + row));
    } else {
      s = FloatVector.fromArray(Lanes.FLOATS, sums, at);
      if (mean != 0) s = s.sub(Lanes.load(mean + row));
    }
    return s.fma(Lanes.load(scale + row), Lanes.load(shift + row));
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
