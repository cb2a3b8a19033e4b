package slimvox.backend.cpu.packed;

import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LaidHead;
import slimvox.backend.packed.WeightForm;

/**
 * Runs the embedding layer: y[o] = scale[o] sum over i of w[o, i] x[i] + bias[o].
 *
 * <p>As many outputs as a vector has lanes are summed side by side, each in the order of i, so that
 * the width of vectors does not change the bits.
 */
final class HeadKernel {
  private static final int TILE = LaidConvolution.TILE;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Byte> BYTES =
      Lanes.LANES <= 8 ? ByteVector.SPECIES_64 : ByteVector.SPECIES_128;
  private static final int SIGN_BIT = 0x80000000;
  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private HeadKernel() {}

  /** The embedding of what was pooled. */
  static float[] run(Parallel parallel, LaidHead head, float[] x) {
    float[] sums = new float[head.tiles() * TILE];
    parallel.run(
        sums.length / Lanes.LANES,
        (long) head.in() * Lanes.LANES,
        (part, from, to) -> {
          for (int v = (int) from; v < to; v++) {
            int first = v * Lanes.LANES;
            sum(head.form(), x, head.tile(first / TILE), first % TILE).intoArray(sums, first);
          }
        });
    float[] y = Arrays.copyOf(sums, head.out());
    for (int o = 0; o < y.length; o++) y[o] = Math.fma(y[o], head.scale()[o], head.bias()[o]);
    return y;
  }

  private static FloatVector sum(WeightForm form, float[] x, long tile, int first) {
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
}
