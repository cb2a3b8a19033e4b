package slimvox.binary;

import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.memory.Category;

/**
 * What becomes of a tile's sums: batch normalization, shortcut, activation, and the signs that the
 * next layer wants; see {@link PackedConvolution} for the formulas.
 *
 * <p>Each step rounds as the training's operation does: alpha s; minus mean; one fused
 * multiply-add; plus shortcut; activation. The loops are in {@link TileSteps}.
 */
final class Epilogue implements AutoCloseable {
  private static final int CHANNELS = PopcountKernel.CHANNELS;

  private final int channels;
  private final int filterSize;
  private final ChannelActivation.Kind kind;
  private final int padded;
  private final Tensor rows;

  // Addresses of rows of as many floats as the tiles have channels; zeros where there is none.
  private final long zeros;
  private final long alpha;
  private final long mean;
  private final long scale;
  private final long shift;
  private final long slope;
  private final long before;
  private final long after;

  Epilogue(Backend backend, PackedConvolution layer) {
    channels = layer.out();
    filterSize = layer.filterSize();
    kind = layer.activation().kind();
    padded = CHANNELS * Plane.words(channels);
    int count = 1 + layer.rowCount();
    rows = backend.allocate(Category.PARAMETER, layer.name() + ".rows", count, padded);
    Rows filled = new Rows(count);
    zeros = rows.address();
    alpha = filled.row(layer.form() == WeightForm.W1A1 ? layer.alpha() : null); // else in weights
    mean = filled.row(layer.mean());
    scale = filled.row(layer.scale());
    shift = filled.row(layer.shift());
    slope = filled.row(layer.activation().slope());
    before = filled.row(layer.activation().before());
    after = filled.row(layer.activation().after());
    backend.ops().upload(filled.values, rows);
  }

  /** The rows while they are filled; the first one stays 0. */
  private final class Rows {
    final float[] values;
    private int used = 1;

    Rows(int count) {
      values = new float[count * padded];
    }

    long row(float[] row) {
      if (row == null) return zeros;
      System.arraycopy(row, 0, values, padded * used, channels);
      return zeros + 4L * padded * used++;
    }
  }

  /** Where the results go, and what is added; addresses of {@link Plane}s, 0 where not wanted. */
  record Target(long floats, long shortcut, long signs, long signShift) {}

  /**
   * Stores the pixels of a group, of counts of differing signs.
   *
   * @param counts of the group and tile
   * @param pixels how many of the pixels there are
   */
  void storeCounts(int[] counts, int tile, int pixels, PixelGroup group, Target target) {
    long row = rowBytes(tile);
    TileSteps.normalizeCounts(
        counts,
        group.values,
        pixels,
        filterSize,
        alpha + row,
        mean + row,
        scale + row,
        shift + row);
    finish(tile, pixels, group, target);
  }

  /** The same for the sums of floats that are the group's values. */
  void storeSums(int tile, int pixels, PixelGroup group, Target target) {
    long row = rowBytes(tile);
    TileSteps.normalizeSums(group.values, pixels, mean + row, scale + row, shift + row);
    finish(tile, pixels, group, target);
  }

  private void finish(int tile, int pixels, PixelGroup group, Target target) {
    float[] values = group.values;
    long[] place = group.place;
    int width = Math.min(CHANNELS, channels - CHANNELS * tile);
    long row = rowBytes(tile);
    long pixelBytes = 4L * channels;
    if (target.shortcut != 0) {
      TileSteps.add(values, width, pixels, place, target.shortcut + row, pixelBytes);
    }
    switch (kind) {
      case NONE -> {}
      case RELU -> TileSteps.relu(values, pixels);
      case PRELU -> TileSteps.prelu(values, pixels, slope + row);
      case RPRELU -> TileSteps.rprelu(values, pixels, slope + row, before + row, after + row);
    }
    if (target.floats != 0) {
      TileSteps.store(values, width, pixels, place, target.floats + row, pixelBytes);
    }
    if (target.signs != 0) {
      long signShift = target.signShift == 0 ? zeros : target.signShift;
      long words = 4L * Plane.words(channels);
      TileSteps.signs(values, pixels, place, signShift + row, target.signs + 4L * tile, words);
    }
  }

  /** The convolution of these weights as a card takes it. */
  PackedKernels.Layer onCard(
      PackedKernels.Weights weightKind, LayerShape shape, long weights, long sizes) {
    boolean columnsFirst = shape.columnsFirst();
    return new PackedKernels.Layer(
        weightKind,
        weights,
        sizes,
        alpha,
        mean,
        scale,
        shift,
        slope,
        before,
        after,
        kind.ordinal(),
        channels,
        shape.kernel(),
        shape.stride(),
        columnsFirst ? shape.kernel() * shape.kernel() : shape.kernel(),
        filterSize);
  }

  /** From the start of a row to a tile's first channel. */
  private static long rowBytes(int tile) {
    return 4L * CHANNELS * tile;
  }

  @Override
  public void close() {
    rows.close();
  }
}
