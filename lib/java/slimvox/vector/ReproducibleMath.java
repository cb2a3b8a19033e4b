package slimvox.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vector operations that the Vector API leaves open, with bits that are always the same.
 *
 * <p>{@code reduceLanes(ADD)} may add in any order, and {@code lanewise(LOG)} is another function
 * when interpreted than when compiled, and so are the other functions: a resumed training would not
 * end in the same bits as one that was not interrupted.
 */
public final class ReproducibleMath {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, 8, 1, true);
  private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, 4, 1, true);
  private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, 2, 1, true);

  private static final int ROOT_HALF_BITS = 0x3f3504f3; // of sqrt(1/2)
  private static final float LN2_HIGH = 0.693359375f; // so few digits that e x it is exact
  private static final float LN2_LOW = -2.12194440e-4f;

  private static final float LOG2_E = 1.44269504088896341f;
  private static final float ROUNDER = 12_582_912f; // 1.5 x 2^23
  private static final float EXP_LOWEST = -87f;
  private static final float EXP_HIGHEST = 88.7f;

  private ReproducibleMath() {}

  /**
   * The sum of a vector's lanes: the halves are added lane by lane, then their halves, and so on.
   */
  public static float sum(FloatVector vector) {
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
  public static FloatVector log(FloatVector x) {
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

  /**
   * e^x of each lane, to about one unit in the last place; 0 below -87, infinity above 88.7, NaN
   * for NaN.
   *
   * <p>x = n ln 2 + r with |r| at most ln 2 / 2; e^x = 2^n (1 + r + r^2 Q(r)). Source: Q is the
   * polynomial of Cephes, expf.
   */
  public static FloatVector exp(FloatVector x) {
    FloatVector bounded = x.max(EXP_LOWEST).min(EXP_HIGHEST);
    // Adding and taking away 1.5 x 2^23 rounds to the nearest whole number.
    FloatVector n = bounded.mul(LOG2_E).add(ROUNDER).sub(ROUNDER);
    FloatVector r = bounded.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
    FloatVector q = FloatVector.broadcast(x.species(), 1.9875691500e-4f);
    q = q.mul(r).add(1.3981999507e-3f);
    q = q.mul(r).add(8.3334519073e-3f);
    q = q.mul(r).add(4.1665795894e-2f);
    q = q.mul(r).add(1.6666665459e-1f);
    q = q.mul(r).add(5.0000001201e-1f);
    FloatVector y = q.mul(r).mul(r).add(r).add(1);
    // 2^n in two halves: n itself can be one more than an exponent holds.
    IntVector whole = (IntVector) n.convert(VectorOperators.F2I, 0);
    IntVector half = whole.lanewise(VectorOperators.ASHR, 1);
    return y.mul(powerOfTwo(half))
        .mul(powerOfTwo(whole.sub(half)))
        .blend(0f, x.lt(EXP_LOWEST))
        .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_HIGHEST));
  }

  private static FloatVector powerOfTwo(IntVector n) {
    return n.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
  }

  /**
   * Hyperbolic tangent of each lane, to about two units in the last place; NaN for NaN.
   *
   * <p>|x| below 0.625: x + x^3 P(x^2), else sign(x) (1 - 2 / (e^2|x| + 1)). Source: P is the
   * polynomial of Cephes, tanhf.
   */
  public static FloatVector tanh(FloatVector x) {
    FloatVector square = x.mul(x);
    FloatVector p = FloatVector.broadcast(x.species(), -5.70498872745e-3f);
    p = p.mul(square).add(2.06390887954e-2f);
    p = p.mul(square).add(-5.37397155531e-2f);
    p = p.mul(square).add(1.33314422036e-1f);
    p = p.mul(square).add(-3.33332819422e-1f);
    FloatVector small = p.mul(square).mul(x).add(x);
    FloatVector size = x.abs();
    FloatVector two = FloatVector.broadcast(x.species(), 2f);
    FloatVector large = two.div(exp(size.add(size)).add(1)).neg().add(1);
    FloatVector signed = large.blend(large.neg(), x.lt(0f));
    return small.blend(signed, size.compare(VectorOperators.GE, 0.625f));
  }
}
