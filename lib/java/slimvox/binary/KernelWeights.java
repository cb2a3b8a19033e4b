package slimvox.binary;

import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.memory.Category;

/**
 * A convolution's weights in memory, in the order in which a kernel reads them: tiles of {@value
 * PopcountKernel#CHANNELS} output channels one after the other.
 *
 * <pre>
 * W1A1     tile, tap, word of 32 input channels, output channel: a word of signs
 * W1A32    tile, tap, input channel: a word, bit o for output channel o
 * FLOAT32  tile, tap, input channel, output channel: a float
 * </pre>
 *
 * <p>Signs stay bits: they take as many bytes as in the file. Only W1A32 has one tile of floats at
 * a time, -1 and 1, made by {@link #unpack}.
 */
final class KernelWeights implements AutoCloseable {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final int CHANNELS = PopcountKernel.CHANNELS;
  private static final int SIGN_BIT = 0x80000000;
  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);

  private final LayerShape shape;
  private final Tensor words;
  private final int[] sizes; // of a filter's weights, as bits of floats

  /** Lays the weights out. */
  KernelWeights(Backend backend, PackedConvolution layer) {
    this.shape = LayerShape.of(layer);
    sizes = new int[CHANNELS * tiles()];
    for (int o = 0; o < layer.out(); o++) {
      sizes[o] = Float.floatToRawIntBits(layer.alpha() == null ? 1 : layer.alpha()[o]);
    }
    int[] values =
        switch (layer.form()) {
          case W1A1 -> inputWords(layer);
          case W1A32 -> outputWords(layer);
          default -> floats(layer);
        };
    words =
        backend.allocate(
            Category.PARAMETER, layer.name() + ".weight", DataType.INT32, Shape.of(values.length));
    backend.ops().upload(values, words);
  }

  /** The sizes of the filters, as bits of floats, for all channels of all tiles. */
  int[] sizes() {
    return sizes;
  }

  /** Number of tiles. */
  int tiles() {
    return Plane.words(shape.out());
  }

  /** Words of one tile. */
  private long tileWords() {
    return words.size() / tiles();
  }

  /** Where a tile lies. */
  long tile(int tile) {
    return words.address() + 4 * tile * tileWords();
  }

  /** Bytes of a tile of floats. */
  static long unpackedBytes(LayerShape shape) {
    return 4L * CHANNELS * shape.filterSize();
  }

  private static int[] inputWords(PackedConvolution layer) {
    int taps = layer.kernel() * layer.kernel();
    int perTap = Plane.words(layer.in());
    int tiles = Plane.words(layer.out());
    int row = SignBits.rowBytes(layer.filterSize());
    int[] words = new int[tiles * taps * perTap * CHANNELS];
    for (int o = 0; o < layer.out(); o++) {
      for (int tap = 0; tap < taps; tap++) {
        for (int i = 0; i < layer.in(); i++) {
          int bit = SignBits.get(layer.signs(), row, o, tap * layer.in() + i);
          int word = ((o / CHANNELS * taps + tap) * perTap + i / 32) * CHANNELS + o % CHANNELS;
          words[word] |= bit << i % 32;
        }
      }
    }
    return words;
  }

  private static int[] outputWords(PackedConvolution layer) {
    int size = layer.filterSize();
    int row = SignBits.rowBytes(size);
    int[] words = new int[Plane.words(layer.out()) * size];
    for (int o = 0; o < layer.out(); o++) {
      for (int k = 0; k < size; k++) {
        words[o / CHANNELS * size + k] |= SignBits.get(layer.signs(), row, o, k) << o % CHANNELS;
      }
    }
    return words;
  }

  private static int[] floats(PackedConvolution layer) {
    int taps = layer.kernel() * layer.kernel();
    int size = layer.filterSize();
    int[] words = new int[Plane.words(layer.out()) * size * CHANNELS];
    for (int o = 0; o < layer.out(); o++) {
      for (int i = 0; i < layer.in(); i++) {
        for (int tap = 0; tap < taps; tap++) {
          float w = layer.weights()[(o * layer.in() + i) * taps + tap];
          int place =
              LayerShape.of(layer).columnsFirst()
                  ? tap % layer.kernel() * layer.kernel() + tap / layer.kernel()
                  : tap;
          int k = place * layer.in() + i;
          words[(o / CHANNELS * size + k) * CHANNELS + o % CHANNELS] = Float.floatToRawIntBits(w);
        }
      }
    }
    return words;
  }

  /** Writes a tile of {@link WeightForm#W1A32} as floats. */
  void unpack(int tile, long floats) {
    int count = shape.filterSize();
    long from = tile(tile);
    for (int o = 0; o < CHANNELS; o += INTS.length()) {
      IntVector size = IntVector.fromArray(INTS, sizes, CHANNELS * tile + o);
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

  @Override
  public void close() {
    words.close();
  }
}
