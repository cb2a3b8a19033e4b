package slimvox.audio;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vector operations that the Vector API leaves open, with bits that are always the same.
 *
 * <p>{@code reduceLanes(ADD)} may add in any order, and {@code lanewise(LOG)} is another function
 * when interpreted than when compiled: the same recording gave features that differed in the last
 * bit early and late in a run, and a resumed training would not end as one that was not
 * interrupted.
 */
final class StableVectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, 8, 1, true);
  private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, 4, 1, true);
  private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, 2, 1, true);

  private static final int ROOT_HALF_BITS = 0x3f3504f3; // of sqrt(1/2)
  private static final float LN2_HIGH = 0.693359375f; // so few digits that e x it is exact
  private static final float LN2_LOW = -2.12194440e-4f;

  private StableVectors() {}

  /**
   * The sum of a vector's lanes: the halves are added lane by lane, then their halves, and so on.
   */
  static float sum(FloatVector vector) {
    int n = SPECIES.length(); // a constant to the compiler, as the shuffles are
    for (int shift = n / 2; shift > 8; shift /= 2) {
      vector = vector.add(vector.rearrange(VectorShuffle.iota(SPECIES, shift, 1, true)));
    }
    if (n > 8) vector = vector.add(vector.rearrange(BY_8));
    if (n > 4) vector = vector.add(vector.rearrange(BY_4));
    if (n > 2) vector = vector.add(vector.rearrange(BY_2));
    return vector.lane(0) + vector.lane(1);
  }

  /**
   * Natural logarithm of each lane, for positive normal numbers, to about one unit in the last
   * place.
   *
   * <p>x = 2^e (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); ln x = e ln 2 + f - f^2 / 2 + f^3
   * P(f). Source: P is the polynomial of Cephes, logf.
   */
  static FloatVector log(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector exponent = bits.sub(ROOT_HALF_BITS).lanewise(VectorOperators.ASHR, 23);
    FloatVector f =
        bits.sub(exponent.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats().sub(1);
    FloatVector e = (FloatVector) exponent.convert(VectorOperators.I2F, 0);
    FloatVector p = FloatVector.broadcast(x.species(), 7.0376836292e-2f);
    p = p.mul(f).add(-1.1514610310e-1f);
    p = p.mul(f).add(1.1676998740e-1f);
    p = p.mul(f).add(-1.2420140846e-1f);
    p = p.mul(f).add(1.4249322787e-1f);
    p = p.mul(f).add(-1.6668057665e-1f);
    p = p.mul(f).add(2.0000714765e-1f);
    p = p.mul(f).add(-2.4999993993e-1f);
    p = p.mul(f).add(3.3333331174e-1f);
    FloatVector square = f.mul(f);
    FloatVector small = p.mul(f).mul(square).add(e.mul(LN2_LOW)).sub(square.mul(0.5f));
    return f.add(small).add(e.mul(LN2_HIGH));
  }
}
