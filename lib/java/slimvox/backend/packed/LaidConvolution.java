package slimvox.backend.packed;

import java.util.Arrays;
import slimvox.backend.Tensor;

/**
 * A convolution in a device's memory, its weights in the order in which a kernel reads them: tiles
 * of {@value #TILE} output channels one after the other.
 *
 * <pre>
 * W1A1     tile, tap, word of 32 input channels, output channel: a word of signs
 * W1A32    tile, tap, input channel: a word, bit o for output channel o
 * FLOAT32  tile, tap, input channel, output channel: a float
 * </pre>
 *
 * <p>Signs stay bits: they take as many bytes as in the file. The taps of {@link
 * LayerShape#columnsFirst} are laid column by column.
 *
 * @param shape name, form and sizes
 * @param activation what follows the normalization
 * @param weights the tiles
 * @param sizes of the filters' weights, as bits of floats, for all channels of all tiles
 * @param deviceSizes the same on a device with memory of its own, for W1A32; else null
 * @param rows what follows the sums
 * @param inputShift added to each input channel before its sign is taken; null for nothing
 */
public record LaidConvolution(
    LayerShape shape,
    ChannelActivation.Kind activation,
    Tensor weights,
    int[] sizes,
    Tensor deviceSizes,
    Rows rows,
    Tensor inputShift)
    implements AutoCloseable {
  /** Output channels of a tile: as many as a word of signs has. */
  public static final int TILE = 32;

  /**
   * Addresses of rows of as many floats as the tiles have channels; that of the zeros where the
   * layer has none, and for alpha where it is in the weights.
   *
   * @param zeros the first row of all
   */
  public record Rows(
      Tensor zeros,
      long alpha,
      long mean,
      long scale,
      long shift,
      long slope,
      long before,
      long after) {}

  static LaidConvolution of(PackedConvolution layer, Packed packed, boolean ownMemory) {
    LayerShape shape = layer.shape();
    Tensor weights = packed.parameter(shape.name() + ".weight", words(layer));
    int[] sizes = new int[TILE * Plane.words(shape.out())];
    for (int o = 0; o < shape.out(); o++) {
      sizes[o] = Float.floatToRawIntBits(layer.alpha() == null ? 1 : layer.alpha()[o]);
    }
    Rows rows = rows(layer, packed);
    float[] added = layer.inputShift();
    boolean own = ownMemory && shape.form() == WeightForm.W1A32;
    return new LaidConvolution(
        shape,
        layer.activation().kind(),
        weights,
        sizes,
        own ? packed.parameter(shape.name() + ".sizes", sizes) : null,
        rows,
        added == null
            ? null
            : packed.parameter(
                shape.name() + ".input_shift",
                Arrays.copyOf(added, TILE * Plane.words(shape.in()))));
  }

  private static Rows rows(PackedConvolution layer, Packed packed) {
    LayerShape shape = layer.shape();
    int length = TILE * Plane.words(shape.out());
    float[][] rows = layer.rows();
    if (!shape.takesSigns()) rows[0] = null; // alpha is in the weights
    float[] values = new float[(1 + layer.rowCount()) * length];
    long[] offset = new long[rows.length];
    int used = 1; // after the zeros
    for (int r = 0; r < rows.length; r++) {
      if (rows[r] == null) continue;
      System.arraycopy(rows[r], 0, values, used * length, shape.out());
      offset[r] = 4L * length * used++;
    }
    Tensor all = packed.parameter(shape.name() + ".rows", values);
    long[] at = Arrays.stream(offset).map(o -> all.address() + o).toArray();
    return new Rows(all, at[0], at[1], at[2], at[3], at[4], at[5], at[6]);
  }

  /** Weights as words, or as bits of floats. */
  private static int[] words(PackedConvolution layer) {
    LayerShape s = layer.shape();
    int taps = s.kernel() * s.kernel();
    int perTap = s.inElements(); // words of signs for W1A1
    int rowBytes = SignBits.rowBytes(s.filterSize());
    int tileWords = taps * perTap * (s.form() == WeightForm.W1A32 ? 1 : TILE);
    int[] words = new int[Plane.words(s.out()) * tileWords];
    for (int o = 0; o < s.out(); o++) {
      int tile = o / TILE * tileWords;
      for (int tap = 0; tap < taps; tap++) {
        int place = s.columnsFirst() ? tap % s.kernel() * s.kernel() + tap / s.kernel() : tap;
        for (int i = 0; i < s.in(); i++) {
          int k = place * perTap + i;
          if (!s.form().isBinary()) {
            float w = layer.weights()[(o * s.in() + i) * taps + tap];
            words[tile + k * TILE + o % TILE] = Float.floatToRawIntBits(w);
            continue;
          }
          int bit = SignBits.get(layer.signs(), rowBytes, o, tap * s.in() + i);
          if (s.takesSigns()) {
            words[tile + (tap * perTap + i / 32) * TILE + o % TILE] |= bit << i % 32;
          } else {
            words[tile + k] |= bit << o % TILE;
          }
        }
      }
    }
    return words;
  }

  /** Number of tiles. */
  public int tiles() {
    return Plane.words(shape.out());
  }

  /** Where a tile of weights lies. */
  public long tile(int tile) {
    return weights.address() + tile * (weights.bytes() / tiles());
  }

  @Override
  public void close() {
    weights.close();
    rows.zeros.close();
    if (deviceSizes != null) deviceSizes.close();
    if (inputShift != null) inputShift.close();
  }
}
