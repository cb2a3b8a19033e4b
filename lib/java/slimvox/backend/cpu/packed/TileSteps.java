package slimvox.backend.cpu.packed;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.cpu.Lanes;

/**
 * What an {@link Epilogue} consists of: loops over the pixels of a group, for the channels of a
 * tile, each reading and writing the group's values (pixels x {@value PopcountKernel#CHANNELS}).
 *
 * <p>Each loop is a method of its own in which nothing depends on the layer. That is for the
 * compiler: a vector stays in a register only where every call that takes it has been inlined, and
 * a call that the first layers seldom made is not; from then on it costs an object for each vector,
 * in all layers. The values lie in the first-level cache, so a loop more costs little.
 */
final class TileSteps {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> FLOATS = Lanes.FLOATS;
  private static final int LANES = Lanes.LANES;
  private static final int CHANNELS = PopcountKernel.CHANNELS;

  private TileSteps() {}

  /** Counts of differing signs to scale (alpha s - mean) + shift, s = filterSize - 2 count. */
  static void normalizeCounts(
      int[] counts,
      float[] values,
      int pixels,
      int filterSize,
      long alpha,
      long mean,
      long scale,
      long shift) {
    FloatVector size = FloatVector.broadcast(FLOATS, filterSize);
    FloatVector minusTwo = FloatVector.broadcast(FLOATS, -2f);
    for (int c = 0; c < CHANNELS; c += LANES) {
      FloatVector a = Lanes.load(alpha + 4L * c);
      FloatVector m = Lanes.load(mean + 4L * c);
      FloatVector s = Lanes.load(scale + 4L * c);
      FloatVector b = Lanes.load(shift + 4L * c);
      for (int p = 0; p < pixels; p++) {
        IntVector n = IntVector.fromArray(INTS, counts, CHANNELS * p + c);
        FloatVector sum = (FloatVector) n.convert(VectorOperators.I2F, 0);
        sum.fma(minusTwo, size) // exact
            .mul(a)
            .sub(m)
            .fma(s, b)
            .intoArray(values, CHANNELS * p + c);
      }
    }
  }

  /** Sums to scale (s - mean) + shift. */
  static void normalizeSums(float[] values, int pixels, long mean, long scale, long shift) {
    for (int c = 0; c < CHANNELS; c += LANES) {
      FloatVector m = Lanes.load(mean + 4L * c);
      FloatVector s = Lanes.load(scale + 4L * c);
      FloatVector b = Lanes.load(shift + 4L * c);
      for (int p = 0; p < pixels; p++) {
        FloatVector y = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c);
        y.sub(m).fma(s, b).intoArray(values, CHANNELS * p + c);
      }
    }
  }

  /**
   * Adds what lies in memory.
   *
   * @param width channels of the tile that there are
   * @param place number of each pixel
   * @param from address of the tile's first channel in pixel 0
   * @param pixelBytes from one pixel to the next
   */
  static void add(float[] values, int width, int pixels, long[] place, long from, long pixelBytes) {
    int whole = width - width % LANES;
    for (int c = 0; c < whole; c += LANES) {
      for (int p = 0; p < pixels; p++) {
        FloatVector y = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c);
        y.add(Lanes.load(from + place[p] * pixelBytes + 4L * c))
            .intoArray(values, CHANNELS * p + c);
      }
    }
    if (whole < width) addLast(values, whole, width, pixels, place, from, pixelBytes);
  }

  private static void addLast(
      float[] values, int c, int width, int pixels, long[] place, long from, long pixelBytes) {
    VectorMask<Float> tail = Lanes.tail(c, width);
    for (int p = 0; p < pixels; p++) {
      FloatVector y = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c);
      y.add(Lanes.load(from + place[p] * pixelBytes + 4L * c, tail))
          .intoArray(values, CHANNELS * p + c);
    }
  }

  /** y = 0 where it is below, so that -0 and NaN stay. */
  static void relu(float[] values, int pixels) {
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int i = 0; i < CHANNELS * pixels; i += LANES) {
      FloatVector y = FloatVector.fromArray(FLOATS, values, i);
      y.blend(zero, y.compare(VectorOperators.LT, zero)).intoArray(values, i);
    }
  }

  /** y = y if y &gt; 0, else slope y. */
  static void prelu(float[] values, int pixels, long slope) {
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int c = 0; c < CHANNELS; c += LANES) {
      FloatVector a = Lanes.load(slope + 4L * c);
      for (int p = 0; p < pixels; p++) {
        FloatVector y = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c);
        y.mul(a).blend(y, y.compare(VectorOperators.GT, zero)).intoArray(values, CHANNELS * p + c);
      }
    }
  }

  /** z = y + before; y = (z if z &gt; 0, else slope z) + after. */
  static void rprelu(float[] values, int pixels, long slope, long before, long after) {
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int c = 0; c < CHANNELS; c += LANES) {
      FloatVector a = Lanes.load(slope + 4L * c);
      FloatVector b = Lanes.load(before + 4L * c);
      FloatVector d = Lanes.load(after + 4L * c);
      for (int p = 0; p < pixels; p++) {
        FloatVector z = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c).add(b);
        z.mul(a)
            .blend(z, z.compare(VectorOperators.GT, zero))
            .add(d)
            .intoArray(values, CHANNELS * p + c);
      }
    }
  }

  /** Writes the values to memory; parameters as of {@link #add}. */
  static void store(float[] values, int width, int pixels, long[] place, long to, long pixelBytes) {
    int whole = width - width % LANES;
    for (int c = 0; c < whole; c += LANES) {
      for (int p = 0; p < pixels; p++) {
        Lanes.store(
            to + place[p] * pixelBytes + 4L * c,
            FloatVector.fromArray(FLOATS, values, CHANNELS * p + c));
      }
    }
    if (whole < width) storeLast(values, whole, width, pixels, place, to, pixelBytes);
  }

  private static void storeLast(
      float[] values, int c, int width, int pixels, long[] place, long to, long pixelBytes) {
    VectorMask<Float> tail = Lanes.tail(c, width);
    for (int p = 0; p < pixels; p++) {
      Lanes.store(
          to + place[p] * pixelBytes + 4L * c,
          FloatVector.fromArray(FLOATS, values, CHANNELS * p + c),
          tail);
    }
  }

  /**
   * Writes the signs of the values + shift, a word for each pixel.
   *
   * <p>Beyond the last channel values and shift are 0, and so are the bits.
   *
   * @param shift of the tile's channels
   * @param to address of the tile's word in pixel 0
   */
  static void signs(
      float[] values, int pixels, long[] place, long shift, long to, long pixelBytes) {
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int p = 0; p < pixels; p++) {
      long negative = 0;
      for (int c = 0; c < CHANNELS; c += LANES) {
        FloatVector y = FloatVector.fromArray(FLOATS, values, CHANNELS * p + c);
        y = y.add(Lanes.load(shift + 4L * c));
        negative |= y.compare(VectorOperators.LT, zero).toLong() << c;
      }
      Lanes.setInt(to + place[p] * pixelBytes, 0, (int) negative);
    }
  }
}
