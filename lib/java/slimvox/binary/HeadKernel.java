package slimvox.binary;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cuda.CudaDevice;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;

/**
 * Runs the embedding layer: y[o] = scale[o] sum over i of w[o, i] x[i] + bias[o].
 *
 * <p>Weights lie in tiles of 32 outputs: tile, input, output. As many outputs as a vector has lanes
 * are summed side by side, each in the order of i, so that the width of vectors does not change the
 * bits.
 */
final class HeadKernel implements AutoCloseable {
  private static final int TILE = PopcountKernel.CHANNELS;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Byte> BYTES =
      Lanes.LANES <= 8 ? ByteVector.SPECIES_64 : ByteVector.SPECIES_128;
  private static final int SIGN_BIT = 0x80000000;
  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private final Parallel parallel;
  private final WeightForm form;
  private final int in;
  private final float[] scale; // 1 for FLOAT32
  private final float[] bias;
  private final int tiles;
  private final long tileBytes;
  private final Tensor weights;
  private final PackedKernels card; // null on the processor
  private final List<Tensor> onCard = new ArrayList<>(); // scale, bias, pooled, embedding

  /** Lays the weights out; {@code parallel} is the processor's, null on a card. */
  HeadKernel(Backend backend, Parallel parallel, PackedHead head) {
    this.parallel = parallel;
    form = head.form();
    in = head.in();
    bias = head.bias();
    scale = head.scale() == null ? new float[head.out()] : head.scale();
    if (head.scale() == null) Arrays.fill(scale, 1);
    tiles = (head.out() + TILE - 1) / TILE;
    tileBytes = (long) head.in() * TILE * head.form().weightBits() / 8;
    // A vector of bytes may be wider than what is left of the last tile.
    int bytes = Math.toIntExact(tiles * tileBytes + BYTES.vectorByteSize());
    weights =
        backend.allocate(
            Category.PARAMETER, PackedHead.NAME + ".weight", DataType.UINT8, Shape.of(bytes));
    byte[] values = new byte[bytes];
    fill(head, MemorySegment.ofArray(values));
    backend.ops().upload(values, weights);
    card = backend.device() instanceof CudaDevice cuda ? cuda.packed() : null;
    if (card != null) {
      onCard.add(tensor(backend, Category.PARAMETER, "scale", scale));
      onCard.add(tensor(backend, Category.PARAMETER, "bias", bias));
      onCard.add(tensor(backend, Category.ACTIVATION, "in", new float[in]));
      onCard.add(tensor(backend, Category.ACTIVATION, "out", new float[bias.length]));
    }
  }

  private static Tensor tensor(Backend backend, Category category, String name, float[] values) {
    Tensor x = backend.allocate(category, PackedHead.NAME + "." + name, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  private void fill(PackedHead head, MemorySegment to) {
    int row = SignBits.rowBytes(head.in());
    for (int o = 0; o < head.out(); o++) {
      long tile = o / TILE * tileBytes;
      int place = o % TILE;
      for (int i = 0; i < head.in(); i++) {
        long n = (long) i * TILE + place;
        switch (head.form()) {
          case FLOAT32 -> to.set(FLOAT, tile + 4 * n, head.weights()[o * head.in() + i]);
          case INT8 -> to.set(ValueLayout.JAVA_BYTE, tile + n, head.codes()[o * head.in() + i]);
          default -> {
            int bit = SignBits.get(head.codes(), row, o, i);
            long word = tile + 4L * i;
            to.set(INT, word, to.get(INT, word) | bit << place);
          }
        }
      }
    }
  }

  /** The embedding of the last layer's output. */
  float[] run(Plane x, ModelSpec.Pooling pooling) {
    if (card == null) return run(PooledStatistics.of(x, pooling));
    int groups = PooledStatistics.groups(x, pooling);
    long pooled = onCard.get(2).address();
    Tensor out = onCard.get(3);
    card.statistics(
        x.address(),
        pooled,
        groups,
        x.height() / groups,
        x.width(),
        x.elements(),
        PooledStatistics.FLOOR);
    card.head(
        pooled,
        weights.address(),
        onCard.get(0).address(),
        onCard.get(1).address(),
        out.address(),
        in,
        bias.length,
        form.weightBits());
    return out.backend().ops().floats(out);
  }

  /** The embedding of what was pooled. */
  private float[] run(float[] x) {
    float[] sums = new float[tiles * TILE];
    int vectors = sums.length / Lanes.LANES;
    parallel.run(
        vectors,
        (long) in * Lanes.LANES,
        (part, from, to) -> {
          for (int v = (int) from; v < to; v++) {
            int first = v * Lanes.LANES;
            long at = weights.address() + first / TILE * tileBytes;
            sum(x, at, first % TILE).intoArray(sums, first);
          }
        });
    float[] y = Arrays.copyOf(sums, bias.length);
    for (int o = 0; o < y.length; o++) y[o] = Math.fma(y[o], scale[o], bias[o]);
    return y;
  }

  private FloatVector sum(float[] x, long tile, int first) {
    return switch (form) {
      case FLOAT32 -> sumFloats(x, tile + 4L * first);
      case INT8 -> sumBytes(x, tile + first);
      default -> sumSigns(x, tile, first);
    };
  }

  private static FloatVector sumFloats(float[] x, long w) {
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < x.length; i++) {
      sum = FloatVector.broadcast(Lanes.FLOATS, x[i]).fma(Lanes.load(w + 4L * TILE * i), sum);
    }
    return sum;
  }

  private static FloatVector sumBytes(float[] x, long w) {
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < x.length; i++) {
      FloatVector v =
          (FloatVector)
              ByteVector.fromMemorySegment(BYTES, Lanes.ALL, w + (long) TILE * i, ORDER)
                  .convertShape(VectorOperators.B2F, Lanes.FLOATS, 0);
      sum = FloatVector.broadcast(Lanes.FLOATS, x[i]).fma(v, sum);
    }
    return sum;
  }

  private static FloatVector sumSigns(float[] x, long words, int first) {
    IntVector up = LANE.add(first).neg().add(TILE - 1); // brings bit o to the place of the sign
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < x.length; i++) {
      IntVector sign =
          IntVector.broadcast(INTS, Lanes.getInt(words, i))
              .lanewise(VectorOperators.LSHL, up)
              .and(SIGN_BIT);
      IntVector bits = IntVector.broadcast(INTS, Float.floatToRawIntBits(x[i]));
      sum = sum.add(bits.lanewise(VectorOperators.XOR, sign).reinterpretAsFloats());
    }
    return sum;
  }

  @Override
  public void close() {
    weights.close();
    onCard.forEach(Tensor::close);
  }
}
