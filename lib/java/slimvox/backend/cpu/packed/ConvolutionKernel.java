package slimvox.backend.cpu.packed;

import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.WeightForm;

/**
 * One packed convolution: sums of a tile of output channels for a few pixels at a time, by {@link
 * PopcountKernel} or {@link MultiplyKernel}, and the {@link Epilogue} on them.
 *
 * <p>Tiles come first, pixels second, so that a tile of weights is unpacked once and stays in the
 * cache. Which thread takes which does not change a bit of the result.
 *
 * @param vectors whether the processor counts bits in vectors
 * @param epilogue which says where the results go
 * @param scratch {@link #unpackedBytes} for each thread, for W1A32
 */
record ConvolutionKernel(
    Parallel parallel,
    boolean vectors,
    LaidConvolution weights,
    Plane in,
    Epilogue epilogue,
    Tensor scratch) {
  /** Pixels of a group: a whole number of times as many as a kernel takes at once. */
  private static final int COUNTED_PIXELS = 4 * PopcountKernel.PIXELS;

  private static final int SUMMED_PIXELS = 3 * MultiplyKernel.PIXELS;

  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);
  private static final int CHANNELS = LaidConvolution.TILE;
  private static final int SIGN_BIT = 0x80000000;

  /** Bytes of a tile of {@link WeightForm#W1A32} as floats. */
  static long unpackedBytes(LayerShape layer) {
    return 4L * CHANNELS * layer.filterSize();
  }

  private LayerShape shape() {
    return weights.shape();
  }

  void run() {
    PixelGroup pixels = group();
    if (shape().takesSigns()) {
      count(pixels.groups());
    } else {
      sum(pixels.groups());
    }
  }

  private PixelGroup group() {
    int size = shape().takesSigns() ? COUNTED_PIXELS : SUMMED_PIXELS;
    return new PixelGroup(size, in, shape());
  }

  /**
   * By counting signs. Threads share pixels: if they shared tiles, they would write their words of
   * signs into the same cache lines.
   */
  private void count(long groups) {
    long[] taps = taps();
    // In elements read, one for each sixteen sums: what the grain of Parallel counts.
    long work = (long) shape().filterSize() * COUNTED_PIXELS / 32 * weights.tiles();
    parallel.run(
        groups,
        work,
        (part, from, to) -> {
          PixelGroup group = group();
          for (int tile = 0; tile < weights.tiles(); tile++) count(group, taps, tile, from, to);
        });
  }

  /** One tile of the groups {@code from} to {@code to}. */
  private void count(PixelGroup group, long[] taps, int tile, long from, long to) {
    int[] counts = new int[COUNTED_PIXELS * CHANNELS];
    long tileWeights = weights.tile(tile);
    group.start(from);
    for (long g = from; g < to; g++) {
      int pixels = group.next();
      for (int p = 0; p < pixels; p += PopcountKernel.PIXELS) {
        if (vectors) {
          PopcountKernel.count(p, group.window, taps, tileWeights, counts);
        } else {
          PopcountKernel.countOneByOne(p, group.window, taps, tileWeights, counts);
        }
      }
      epilogue.storeCounts(counts, tile, pixels, group);
    }
  }

  /** By multiplying. Threads share tiles, so that each is unpacked once, and pixels. */
  private void sum(long groups) {
    long[] starts = runs();
    parallel.run(
        weights.tiles() * groups,
        (long) shape().filterSize() * SUMMED_PIXELS,
        (part, from, to) -> sum(group(), starts, groups, part, from, to));
  }

  /** Units {@code from} to {@code to}, each a tile of a group. */
  private void sum(PixelGroup group, long[] starts, long groups, int part, long from, long to) {
    int run = shape().filterSize() / starts.length; // of floats
    long tileWeights = 0;
    for (long unit = from; unit < to; unit++) {
      int tile = (int) (unit / groups);
      if (unit == from || unit % groups == 0) {
        group.start(unit % groups);
        tileWeights = floats(tile, part);
      }
      int pixels = group.next();
      for (int p = 0; p < pixels; p += MultiplyKernel.PIXELS) {
        MultiplyKernel.sum(p, group.window, starts, run, tileWeights, group.values);
      }
      epilogue.storeSums(tile, pixels, group);
    }
  }

  /** Where a tile's weights are floats: as laid out or, of W1A32, as a thread unpacks them. */
  private long floats(int tile, int part) {
    if (shape().form() != WeightForm.W1A32) return weights.tile(tile);
    long unpacked = scratch.address() + part * unpackedBytes(shape());
    unpack(tile, unpacked);
    return unpacked;
  }

  private void unpack(int tile, long floats) {
    int count = shape().filterSize();
    long from = weights.tile(tile);
    for (int o = 0; o < CHANNELS; o += INTS.length()) {
      IntVector size = IntVector.fromArray(INTS, weights.sizes(), CHANNELS * tile + o);
      IntVector up = LANE.add(o).neg().add(31); // brings bit o to the place of the sign
      for (int k = 0; k < count; k++) {
        IntVector.broadcast(INTS, Lanes.getInt(from, k))
            .lanewise(VectorOperators.LSHL, up)
            .and(SIGN_BIT)
            .or(size)
            .intoMemorySegment(
                Lanes.ALL, floats + 4L * (CHANNELS * (long) k + o), ByteOrder.nativeOrder());
      }
    }
  }

  /** Where the words of a window lie, from its first one. */
  private long[] taps() {
    int kernel = shape().kernel();
    int run = kernel * in.elements();
    long[] taps = new long[kernel * run];
    for (int k = 0; k < taps.length; k++) taps[k] = k / run * in.rowBytes() + 4L * (k % run);
    return taps;
  }

  /** Where the runs of a window begin: its rows; for one channel its taps, column by column. */
  private long[] runs() {
    int kernel = shape().kernel();
    boolean single = shape().columnsFirst();
    long[] runs = new long[single ? kernel * kernel : kernel];
    for (int k = 0; k < runs.length; k++) {
      runs[k] = single ? k % kernel * in.rowBytes() + k / kernel * 4L : k * in.rowBytes();
    }
    return runs;
  }
}
