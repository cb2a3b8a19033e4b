package slimvox.backend.packed;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

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
 */
public final class LaidConvolution implements AutoCloseable {
  /** Output channels of a tile: as many as a word of signs has. */
  public static final int TILE = 32;

  /**
   * Addresses of rows of as many floats as the tiles have channels; {@code zeros} where the layer
   * has none, and for alpha where it is in the weights.
   */
  public record Rows(
      long zeros,
      long alpha,
      long mean,
      long scale,
      long shift,
      long slope,
      long before,
      long after) {}

  private final LayerShape shape;
  private final ChannelActivation.Kind activation;
  private final int[] sizes;
  private final Rows rows;
  private final List<Tensor> tensors = new ArrayList<>();
  private final Tensor weights;
  private final Tensor inputShift; // null for none
  private final Tensor deviceSizes; // null where the host's do

  LaidConvolution(Backend backend, PackedConvolution layer, boolean ownMemory) {
    shape = layer.shape();
    activation = layer.activation().kind();
    weights = upload(backend, "weight", words(layer));
    sizes = new int[TILE * tiles()];
    for (int o = 0; o < shape.out(); o++) {
      sizes[o] = Float.floatToRawIntBits(layer.alpha() == null ? 1 : layer.alpha()[o]);
    }
    rows = rows(backend, layer);
    inputShift =
        layer.inputShift() == null
            ? null
            : upload(
                backend,
                "input_shift",
                Arrays.copyOf(layer.inputShift(), TILE * Plane.words(shape.in())));
    deviceSizes =
        ownMemory && shape.form() == WeightForm.W1A32 ? upload(backend, "sizes", sizes) : null;
  }

  private Tensor upload(Backend backend, String name, int[] values) {
    Tensor x = parameter(backend, name, DataType.INT32, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  private Tensor upload(Backend backend, String name, float[] values) {
    Tensor x = parameter(backend, name, DataType.FLOAT32, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  private Tensor parameter(Backend backend, String name, DataType type, int size) {
    String label = shape.name() + "." + name;
    Tensor x = backend.allocate(Category.PARAMETER, label, type, Shape.of(size));
    tensors.add(x);
    return x;
  }

  private Rows rows(Backend backend, PackedConvolution layer) {
    int length = TILE * tiles();
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
    long at = upload(backend, "rows", values).address();
    return new Rows(
        at,
        at + offset[0],
        at + offset[1],
        at + offset[2],
        at + offset[3],
        at + offset[4],
        at + offset[5],
        at + offset[6]);
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

  /** Name, form and sizes. */
  public LayerShape shape() {
    return shape;
  }

  /** What follows the normalization. */
  public ChannelActivation.Kind activation() {
    return activation;
  }

  /** Number of tiles. */
  public int tiles() {
    return Plane.words(shape.out());
  }

  /** Where a tile of weights lies. */
  public long tile(int tile) {
    return weights.address() + tile * (weights.bytes() / tiles());
  }

  /** The sizes of the filters' weights, as bits of floats, for all channels of all tiles. */
  public int[] sizes() {
    return sizes;
  }

  /** Where {@link #sizes} lie on a device with memory of its own, for W1A32; else 0. */
  public long deviceSizes() {
    return deviceSizes == null ? 0 : deviceSizes.address();
  }

  /** What follows the sums. */
  public Rows rows() {
    return rows;
  }

  /** What is added to the input before its sign is taken; null for nothing. */
  public Tensor inputShift() {
    return inputShift;
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
