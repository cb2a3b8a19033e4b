package slimvox.backend.cpu.optim;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;
import static slimvox.backend.cpu.optim.QuantizedState.sizeBits;

import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.AdamStep;
import slimvox.backend.Quantized;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;

/** Adam with quantized moments, for the blocks of one thread; see {@link Optimizers}. */
final class QuantizedAdam extends QuantizedRule {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  private static final VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
  private static final int SIZE_BITS = 0x7fffffff;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private static final int UNSURE_MEAN = 1; // bits that say which codes are
  private static final int UNSURE_SQUARE = 2;

  private final float keep;
  private final float add;
  private final float fresh1;
  private final float beta2;
  private final float fresh2;
  private final float rate;
  private final float correction;
  private final float epsilon;
  private final float leastRoot;
  private final long g;
  private final long p;
  private final QuantizedState m;
  private final QuantizedState v;

  QuantizedAdam(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      QuantizedState m,
      QuantizedState v) {
    super(mean, gradient, step.keep(), m, v);
    double decay = step.weightDecay();
    keep = (float) (step.decoupled() ? 1 - step.learningRate() * decay : 1);
    add = (float) (step.decoupled() ? 0 : decay);
    fresh1 = (float) (1 - step.beta1());
    beta2 = (float) step.beta2();
    fresh2 = (float) (1 - step.beta2());
    rate = (float) (-step.learningRate() / (1 - Math.pow(step.beta1(), step.step())));
    correction = (float) (1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step())));
    leastRoot = v.book.book.isNearestOnly() ? 0 : step.leastRoot();
    epsilon = (float) step.epsilon();
    g = gradient.address();
    p = parameter.address();
    this.m = m;
    this.v = v;
  }

  @Override
  void renew(long at, int from, int n, boolean last) {
    renew(g + 4 * at, p + 4 * at, m.x + 4L * from, v.x + 4L * from, n);
  }

  private void renew(long g, long p, long m, long v, int n) {
    FloatVector add = all(this.add);
    FloatVector fresh1 = all(this.fresh1);
    FloatVector beta2 = all(this.beta2);
    FloatVector fresh2 = all(this.fresh2);
    IntVector largestM = sizeBits(FloatVector.zero(Lanes.FLOATS));
    IntVector largestV = largestM;
    IntVector least = sizeBits(all(Float.POSITIVE_INFINITY));
    int i = 0;
    for (; i <= n - LANES; i += LANES) {
      FloatVector d = load(p + 4L * i).fma(add, load(g + 4L * i));
      FloatVector m0 = load(m + 4L * i);
      FloatVector m1 = d.sub(m0).fma(fresh1, m0);
      FloatVector square = d.mul(d);
      FloatVector v1 = square.fma(fresh2, load(v + 4L * i).mul(beta2));
      least = least.min(square.reinterpretAsInts());
      store(m + 4L * i, m1);
      store(v + 4L * i, v1);
      largestM = largestM.max(sizeBits(m1));
      largestV = largestV.max(sizeBits(v1));
    }
    if (i < n) {
      VectorMask<Float> t = tail(i, n);
      FloatVector d = load(p + 4L * i, t).fma(add, load(g + 4L * i, t));
      FloatVector m0 = load(m + 4L * i, t);
      FloatVector m1 = d.sub(m0).fma(fresh1, m0);
      FloatVector square = d.mul(d);
      FloatVector v1 = square.fma(fresh2, load(v + 4L * i, t).mul(beta2));
      least = least.min(square.reinterpretAsInts());
      store(m + 4L * i, m1, t);
      store(v + 4L * i, v1, t);
      largestM = largestM.max(sizeBits(m1));
      largestV = largestV.max(sizeBits(v1));
    }
    this.m.largest(largestM);
    this.v.largest(largestV);
    // With decay in it the square does not tell whether the gradient is zero.
    leastGradient(this.add == 0 ? least : least(g, n));
  }

  private static IntVector least(long g, int n) {
    IntVector least = sizeBits(all(Float.POSITIVE_INFINITY));
    int i = 0;
    for (; i <= n - LANES; i += LANES) least = least.min(sizeBits(load(g + 4L * i)));
    return i < n ? least.min(sizeBits(load(g + 4L * i, tail(i, n)))) : least;
  }

  private void move(long p, long m, long v, int n) {
    FloatVector keep = all(this.keep);
    FloatVector rate = all(this.rate);
    FloatVector correction = all(this.correction);
    FloatVector epsilon = all(this.epsilon);
    FloatVector leastRoot = all(this.leastRoot);
    int i = 0;
    for (; i <= n - LANES; i += LANES) {
      FloatVector m1 = load(m + 4L * i);
      IntVector least = sizeBits(m1.mul(leastRoot));
      IntVector root = load(v + 4L * i).sqrt().fma(correction, epsilon).reinterpretAsInts();
      FloatVector u = m1.div(root.max(least).reinterpretAsFloats());
      store(p + 4L * i, u.fma(rate, load(p + 4L * i).mul(keep)));
    }
    if (i < n) {
      VectorMask<Float> t = tail(i, n);
      FloatVector m1 = load(m + 4L * i, t);
      IntVector least = sizeBits(m1.mul(leastRoot));
      IntVector root = load(v + 4L * i, t).sqrt().fma(correction, epsilon).reinterpretAsInts();
      FloatVector u = m1.div(root.max(least).reinterpretAsFloats());
      store(p + 4L * i, u.fma(rate, load(p + 4L * i, t).mul(keep)), t);
    }
  }

  /** Moves the parameter too. */
  @Override
  void encode(long at, int from, int n, boolean whole) {
    CodeVectors means = m.book.vectors;
    CodeVectors squares = v.book.vectors;
    boolean usable = means != null && means.isSigned() && squares != null && !squares.isSigned();
    if (!usable || !whole || n % LANES != 0) {
      move(p + 4 * at, m.x + 4L * from, v.x + 4L * from, n);
      m.encode(at, from, n, whole);
      v.encode(at, from, n, whole);
      return;
    }
    for (int i = 0; i < n; i += BlockwiseCodes.UNSURE) {
      int run = Math.min(BlockwiseCodes.UNSURE, n - i);
      finish(means, squares, at + i, from + i, run, m.factor(), v.factor());
    }
  }

  private void finish(
      CodeVectors means, CodeVectors squares, long at, int from, int n, float mf, float vf) {
    long mx = m.x + 4L * from;
    long vx = v.x + 4L * from;
    long mc = m.codes + at;
    long vc = v.codes + at;
    int unsure = finish(means, squares, p + 4 * at, mx, vx, n, mf, vf, mc, vc);
    if (unsure == 0) return;
    if ((unsure & UNSURE_MEAN) != 0) BlockwiseCodes.encodeOneByOne(m.book, mx, 0, n, mf, mc);
    if ((unsure & UNSURE_SQUARE) != 0) BlockwiseCodes.encodeOneByOne(v.book, vx, 0, n, vf, vc);
  }

  /**
   * {@link #move} and {@link CodeVectors#encode} of both moments in one loop: division and root
   * keep other parts of the processor busy than look-ups do. Written out, because the compiler
   * inlines no more methods in a loop of this size.
   */
  private int finish(
      CodeVectors means,
      CodeVectors squares,
      long p,
      long m,
      long v,
      int n,
      float meanFactor,
      float squareFactor,
      long meanCodes,
      long squareCodes) {
    FloatVector keep = all(this.keep);
    FloatVector rate = all(this.rate);
    FloatVector correction = all(this.correction);
    FloatVector epsilon = all(this.epsilon);
    FloatVector leastRoot = all(this.leastRoot);
    int leastCode = CodeVectors.ROUNDER_BITS + squares.least();
    IntVector carry0 = means.carry(0);
    IntVector carry1 = means.carry(1);
    IntVector slopes = means.slopes();
    IntVector offsets = means.offsets();
    IntVector lasts = means.lasts();
    FloatVector rounder = means.rounder();
    IntVector squareCarry0 = squares.carry(0);
    IntVector squareCarry1 = squares.carry(1);
    IntVector squareSlopes = squares.slopes();
    IntVector squareOffsets = squares.offsets();
    IntVector squareLasts = squares.lasts();
    FloatVector squareRounder = squares.rounder();
    IntVector most = IntVector.zero(INTS);
    IntVector squareMost = most;
    for (int i = 0; i <= n - LANES; i += LANES) {
      FloatVector m1 = FloatVector.fromMemorySegment(FLOATS, ALL, m + 4L * i, ORDER);
      FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, v + 4L * i, ORDER);
      FloatVector w = FloatVector.fromMemorySegment(FLOATS, ALL, p + 4L * i, ORDER);
      // As in move, in the order of bits: not a number is above all.
      IntVector least = m1.mul(leastRoot).reinterpretAsInts().and(SIZE_BITS);
      IntVector root = v1.sqrt().fma(correction, epsilon).reinterpretAsInts();
      FloatVector u = m1.div(root.max(least).reinterpretAsFloats());
      u.fma(rate, w.mul(keep)).intoMemorySegment(ALL, p + 4L * i, ORDER);

      IntVector bits = m1.mul(meanFactor).reinterpretAsInts();
      IntVector key = bits.lanewise(VectorOperators.ROL, 1).max(2 * CodeVectors.LOWEST);
      IntVector octave = key.lanewise(VectorOperators.LSHR, 24);
      IntVector piece =
          octave.selectFrom(carry0, carry1).add(key).lanewise(VectorOperators.LSHR, 24);
      FloatVector slope = piece.selectFrom(slopes).reinterpretAsFloats();
      FloatVector offset = piece.selectFrom(offsets).reinterpretAsFloats();
      FloatVector size = bits.and(SIZE_BITS).reinterpretAsFloats().fma(slope, offset);
      IntVector cut = size.reinterpretAsInts().min(piece.selectFrom(lasts));
      FloatVector line = cut.or(bits.and(~SIZE_BITS)).reinterpretAsFloats();
      FloatVector rounded = line.add(rounder);
      most = most.max(line.sub(rounded.sub(rounder)).reinterpretAsInts().and(SIZE_BITS));
      IntVector code = rounded.reinterpretAsInts().max(CodeVectors.ROUNDER_BITS);
      ((ByteVector) code.convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoMemorySegment(ALL, meanCodes + i, ORDER);

      IntVector y = v1.mul(squareFactor).reinterpretAsInts().max(CodeVectors.LOWEST);
      key = y.add(y);
      octave = key.lanewise(VectorOperators.LSHR, 24);
      piece =
          octave.selectFrom(squareCarry0, squareCarry1).add(key).lanewise(VectorOperators.LSHR, 24);
      slope = piece.selectFrom(squareSlopes).reinterpretAsFloats();
      offset = piece.selectFrom(squareOffsets).reinterpretAsFloats();
      cut = y.reinterpretAsFloats().fma(slope, offset).reinterpretAsInts();
      line = cut.min(piece.selectFrom(squareLasts)).reinterpretAsFloats();
      rounded = line.add(squareRounder);
      squareMost =
          squareMost.max(line.sub(rounded.sub(squareRounder)).reinterpretAsInts().and(SIZE_BITS));
      VectorMask<Integer> above = v1.reinterpretAsInts().compare(VectorOperators.GT, 0);
      code = rounded.reinterpretAsInts().lanewise(VectorOperators.MAX, leastCode, above);
      ((ByteVector) code.convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoMemorySegment(ALL, squareCodes + i, ORDER);
    }
    boolean sure = most.reduceLanes(VectorOperators.MAX) <= CodeVectors.UNSURE;
    boolean squareSure = squareMost.reduceLanes(VectorOperators.MAX) <= CodeVectors.UNSURE;
    return (sure ? 0 : UNSURE_MEAN) | (squareSure ? 0 : UNSURE_SQUARE);
  }
}
