package slimvox.backend.cpu.packed;

import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.PackedConvolution;

/**
 * What becomes of a tile's sums: batch normalization, shortcut, activation, and the signs that the
 * next layer wants; see {@link PackedConvolution} for the formulas.
 *
 * <p>Each step rounds as the training's operation does: alpha s; minus mean; one fused
 * multiply-add; plus shortcut; activation. The loops are in {@link TileSteps}.
 */
record Epilogue(LaidConvolution layer, Packed.Target target) {
  private static final int CHANNELS = LaidConvolution.TILE;

  /**
   * Stores the pixels of a group, of counts of differing signs.
   *
   * @param counts of the group and tile
   * @param pixels how many of the pixels there are
   */
  void storeCounts(int[] counts, int tile, int pixels, PixelGroup group) {
    LaidConvolution.Rows rows = layer.rows();
    long row = rowBytes(tile);
    TileSteps.normalizeCounts(
        counts,
        group.values,
        pixels,
        layer.shape().filterSize(),
        rows.alpha() + row,
        rows.mean() + row,
        rows.scale() + row,
        rows.shift() + row);
    finish(tile, pixels, group);
  }

  /** The same for the sums of floats that are the group's values. */
  void storeSums(int tile, int pixels, PixelGroup group) {
    LaidConvolution.Rows rows = layer.rows();
    long row = rowBytes(tile);
    TileSteps.normalizeSums(
        group.values, pixels, rows.mean() + row, rows.scale() + row, rows.shift() + row);
    finish(tile, pixels, group);
  }

  private void finish(int tile, int pixels, PixelGroup group) {
    float[] values = group.values;
    long[] place = group.place;
    int channels = layer.shape().out();
    int width = Math.min(CHANNELS, channels - CHANNELS * tile);
    LaidConvolution.Rows rows = layer.rows();
    long row = rowBytes(tile);
    long pixelBytes = 4L * channels;
    if (target.shortcut() != null) {
      TileSteps.add(values, width, pixels, place, target.shortcut().address() + row, pixelBytes);
    }
    switch (layer.activation()) {
      case NONE -> {}
      case RELU -> TileSteps.relu(values, pixels);
      case PRELU -> TileSteps.prelu(values, pixels, rows.slope() + row);
      case RPRELU ->
          TileSteps.rprelu(
              values, pixels, rows.slope() + row, rows.before() + row, rows.after() + row);
    }
    if (target.floats() != null) {
      TileSteps.store(values, width, pixels, place, target.floats().address() + row, pixelBytes);
    }
    if (target.signs() != null) {
      long shift = (target.signShift() == null ? rows.zeros() : target.signShift()).address();
      long signs = target.signs().address() + 4L * tile;
      TileSteps.signs(values, pixels, place, shift + row, signs, target.signs().pixelBytes());
    }
  }

  /** From the start of a row to a tile's first channel. */
  private static long rowBytes(int tile) {
    return 4L * CHANNELS * tile;
  }
}
