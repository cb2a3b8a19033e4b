package slimvox.binary;

import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cuda.CudaDevice;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.memory.Category;

/**
 * Runs one packed convolution: sums of a tile of output channels for a few pixels at a time, by
 * {@link PopcountKernel} or {@link MultiplyKernel}, and the {@link Epilogue} on them.
 *
 * <p>Tiles come first, pixels second, so that a tile of weights is unpacked once and stays in the
 * cache. Which thread takes which does not change a bit of the result.
 */
final class ConvolutionKernel implements AutoCloseable {
  /** Pixels of a group: a whole number of times as many as a kernel takes at once. */
  private static final int COUNTED_PIXELS = 4 * PopcountKernel.PIXELS;

  private static final int SUMMED_PIXELS = 3 * MultiplyKernel.PIXELS;

  private final Parallel parallel;
  private final LayerShape layer;
  private final KernelWeights weights;
  private final Epilogue epilogue;
  private final Tensor inputShift;
  private final boolean vectors;
  private final PackedKernels card; // null on the processor
  private final Tensor sizes; // of filters, on a card
  private final PackedKernels.Layer onCard;

  /**
   * A convolution ready to run.
   *
   * @param parallel the processor's; null on a card
   * @param vectors whether the processor counts bits in vectors
   */
  ConvolutionKernel(Backend backend, Parallel parallel, PackedConvolution layer, boolean vectors) {
    this.parallel = parallel;
    this.layer = LayerShape.of(layer);
    this.vectors = vectors;
    weights = new KernelWeights(backend, layer);
    epilogue = new Epilogue(backend, layer);
    inputShift = layer.inputShift() == null ? null : shift(backend, layer);
    card = backend.device() instanceof CudaDevice cuda ? cuda.packed() : null;
    sizes = card != null && layer.form() == WeightForm.W1A32 ? sizes(backend) : null;
    onCard =
        card == null
            ? null
            : epilogue.onCard(
                switch (layer.form()) {
                  case W1A1 -> PackedKernels.Weights.SIGN_WORDS;
                  case W1A32 -> PackedKernels.Weights.SIGNS;
                  default -> PackedKernels.Weights.FLOATS;
                },
                shape(),
                weights.tile(0),
                sizes == null ? 0 : sizes.address());
  }

  private Tensor sizes(Backend backend) {
    int[] values = weights.sizes();
    String label = layer.name() + ".sizes";
    Tensor sizes =
        backend.allocate(Category.PARAMETER, label, DataType.INT32, Shape.of(values.length));
    backend.ops().upload(values, sizes);
    return sizes;
  }

  private static Tensor shift(Backend backend, PackedConvolution layer) {
    float[] padded = new float[32 * Plane.words(layer.in())];
    System.arraycopy(layer.inputShift(), 0, padded, 0, layer.in());
    Tensor shift =
        backend.allocate(Category.PARAMETER, layer.name() + ".input_shift", padded.length);
    backend.ops().upload(padded, shift);
    return shift;
  }

  LayerShape shape() {
    return layer;
  }

  /** Whether the input is signs. */
  boolean takesSigns() {
    return layer.form() == WeightForm.W1A1;
  }

  /** Address of what is added to the input before its sign is taken; 0 for nothing. */
  long inputShift() {
    return inputShift == null ? 0 : inputShift.address();
  }

  /** Bytes that each thread of the processor needs while the convolution runs. */
  long scratchBytes() {
    return card == null && layer.form() == WeightForm.W1A32
        ? KernelWeights.unpackedBytes(layer)
        : 0;
  }

  /**
   * Convolves.
   *
   * @param in signs for W1A1, else floats
   * @param scratch {@link #scratchBytes} for each thread
   */
  void run(Plane in, Epilogue.Target target, long scratch) {
    int height = layer.outLength(in.height());
    int width = layer.outLength(in.width());
    if (card != null) {
      card.convolve(
          onCard,
          in.address(),
          in.width(),
          in.elements(),
          height,
          width,
          target.floats(),
          target.shortcut(),
          target.signs(),
          target.signShift());
      return;
    }
    if (takesSigns()) {
      count(in, height, width, target);
    } else {
      sum(in, height, width, target, scratch);
    }
  }

  /**
   * By counting signs. Threads share pixels: if they shared tiles, they would write their words of
   * signs into the same cache lines.
   */
  private void count(Plane in, int height, int width, Epilogue.Target target) {
    long[] taps = taps(in);
    // In elements read, one for each sixteen sums: what the grain of Parallel counts.
    long work = (long) layer.filterSize() * COUNTED_PIXELS / 32 * weights.tiles();
    parallel.run(
        PixelGroup.count(COUNTED_PIXELS, height, width),
        work,
        (part, from, to) -> {
          PixelGroup group = group(COUNTED_PIXELS, in, height, width);
          for (int tile = 0; tile < weights.tiles(); tile++) {
            count(group, taps, tile, from, to, target);
          }
        });
  }

  private PixelGroup group(int size, Plane in, int height, int width) {
    return new PixelGroup(size, in, height, width, layer.kernel(), layer.stride());
  }

  /** One tile of the groups {@code from} to {@code to}. */
  private void count(
      PixelGroup group, long[] taps, int tile, long from, long to, Epilogue.Target target) {
    int[] counts = new int[COUNTED_PIXELS * PopcountKernel.CHANNELS];
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
      epilogue.storeCounts(counts, tile, pixels, group, target);
    }
  }

  /** By multiplying. Threads share tiles, so that each is unpacked once, and pixels. */
  private void sum(Plane in, int height, int width, Epilogue.Target target, long scratch) {
    long[] starts = runs(in);
    long groups = PixelGroup.count(SUMMED_PIXELS, height, width);
    parallel.run(
        weights.tiles() * groups,
        (long) layer.filterSize() * SUMMED_PIXELS,
        (part, from, to) -> {
          PixelGroup group = group(SUMMED_PIXELS, in, height, width);
          sum(group, starts, groups, from, to, target, scratch + part * scratchBytes());
        });
  }

  /** Units {@code from} to {@code to}, each a tile of a group. */
  private void sum(
      PixelGroup group,
      long[] starts,
      long groups,
      long from,
      long to,
      Epilogue.Target target,
      long unpacked) {
    int run = layer.filterSize() / starts.length; // of floats
    long tileWeights = 0;
    for (long unit = from; unit < to; unit++) {
      int tile = (int) (unit / groups);
      if (unit == from || unit % groups == 0) {
        group.start(unit % groups);
        tileWeights = weights(tile, unpacked);
      }
      int pixels = group.next();
      for (int p = 0; p < pixels; p += MultiplyKernel.PIXELS) {
        MultiplyKernel.sum(p, group.window, starts, run, tileWeights, group.values);
      }
      epilogue.storeSums(tile, pixels, group, target);
    }
  }

  private long weights(int tile, long unpacked) {
    if (layer.form() != WeightForm.W1A32) return weights.tile(tile);
    weights.unpack(tile, unpacked);
    return unpacked;
  }

  /** Where the words of a window lie, from its first one. */
  private long[] taps(Plane in) {
    int run = layer.kernel() * in.elements();
    long[] taps = new long[layer.kernel() * run];
    for (int k = 0; k < taps.length; k++) taps[k] = k / run * in.rowBytes() + 4L * (k % run);
    return taps;
  }

  /** Where the runs of a window begin: its rows; for one channel its taps, column by column. */
  private long[] runs(Plane in) {
    int kernel = layer.kernel();
    boolean single = layer.columnsFirst();
    long[] runs = new long[single ? kernel * kernel : kernel];
    for (int k = 0; k < runs.length; k++) {
      runs[k] = single ? k % kernel * in.rowBytes() + k / kernel * 4L : k * in.rowBytes();
    }
    return runs;
  }

  @Override
  public void close() {
    weights.close();
    epilogue.close();
    if (sizes != null) sizes.close();
    if (inputShift != null) inputShift.close();
  }
}
