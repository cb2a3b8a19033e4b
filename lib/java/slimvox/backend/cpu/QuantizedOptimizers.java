package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.AdamStep;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

/**
 * One step of an optimizer whose state is {@link Quantized}: the rules of {@link Optimizers} in the
 * same order of operations.
 *
 * <p>Block by block: spread the codes out into float32 in the first cache, update state and
 * parameter there, quantize the new state. A parameter's state never exists as float32 in memory:
 * SGD reads g p and 1 byte of b, writes p and b (14 bytes in all), Adam 16. A block longer than
 * {@link BlockwiseCodes#PIECE} needs its new absmax first, so its update is computed twice.
 */
final class QuantizedOptimizers {
  private final Parallel parallel;
  private final BlockwiseCodes blockwise;

  QuantizedOptimizers(Parallel parallel, BlockwiseCodes blockwise) {
    this.parallel = parallel;
    this.blockwise = blockwise;
  }

  private static FloatVector all(double value) {
    return FloatVector.broadcast(Lanes.FLOATS, (float) value);
  }

  // ---- SGD

  void sgd(SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum) {
    parallel.run(
        momentum.blocks(),
        momentum.block(),
        (part, from, to) -> {
          Sgd sgd = new Sgd(step, gradient, parameter, momentum, blockwise.book(momentum.book()));
          for (long b = from; b < to; b++) sgd.block(b);
        });
  }

  /** The blocks of one thread. */
  private static final class Sgd {
    private final SgdStep step;
    private final NearestCode book;
    private final long g;
    private final long p;
    private final long codes;
    private final long absmax;
    private final long size;
    private final int block;
    private final float[] b = new float[BlockwiseCodes.PIECE];
    private final CodeVectors.Room room = new CodeVectors.Room();

    Sgd(SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, NearestCode book) {
      this.step = step;
      this.book = book;
      g = gradient.address();
      p = parameter.address();
      codes = momentum.codes().address();
      absmax = momentum.absmax().address();
      size = parameter.size();
      block = momentum.block();
    }

    void block(long number) {
      long start = number * block;
      long end = Math.min(size, start + block);
      boolean whole = end == start + block;
      float old = Lanes.get(absmax, number);
      float largest = 0;
      if (end - start <= BlockwiseCodes.PIECE) {
        largest = update(start, (int) (end - start), old, true);
        BlockwiseCodes.encode(book, b, (int) (end - start), largest, whole, codes + start, room);
      } else {
        for (long at = start; at < end; at += BlockwiseCodes.PIECE) {
          int n = (int) Math.min(BlockwiseCodes.PIECE, end - at);
          largest = Math.max(largest, update(at, n, old, false));
        }
        for (long at = start; at < end; at += BlockwiseCodes.PIECE) {
          int n = (int) Math.min(BlockwiseCodes.PIECE, end - at);
          update(at, n, old, true);
          BlockwiseCodes.encode(book, b, n, largest, whole, codes + at, room);
        }
      }
      Lanes.set(absmax, number, Quantized.storedScale(largest, whole));
    }

    /** Leaves the new state of a piece in b; returns its largest size. */
    private float update(long at, int n, float scale, boolean move) {
      // In the first step b becomes g, whatever it was.
      if (!step.first()) BlockwiseCodes.decode(book, codes + at, scale, b, n);
      return update(g + 4 * at, p + 4 * at, n, move);
    }

    private float update(long g, long p, int n, boolean move) {
      FloatVector decay = all(step.weightDecay());
      FloatVector rate = all(-step.learningRate());
      FloatVector momentum = all(step.first() ? 0 : step.momentum());
      FloatVector fresh = all(step.first() ? 1 : 1.0 - step.dampening());
      FloatVector gPart = all(step.nesterov() ? 1 : 0);
      FloatVector bPart = all(step.nesterov() ? step.momentum() : 1);
      FloatVector largest = FloatVector.zero(Lanes.FLOATS);
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        FloatVector w = load(p + 4L * i);
        FloatVector d = w.fma(decay, load(g + 4L * i));
        FloatVector moved = d.fma(fresh, load(b, i).mul(momentum));
        moved.intoArray(b, i);
        largest = largest.max(moved.abs());
        if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w));
      }
      if (i < n) {
        VectorMask<Float> t = tail(i, n);
        FloatVector w = load(p + 4L * i, t);
        FloatVector d = w.fma(decay, load(g + 4L * i, t));
        FloatVector moved = d.fma(fresh, load(b, i, t).mul(momentum));
        moved.intoArray(b, i, t);
        largest = largest.max(moved.abs());
        if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w), t);
      }
      return largest.reduceLanes(VectorOperators.MAX);
    }
  }

  // ---- Adam

  void adam(AdamStep step, Tensor gradient, Tensor parameter, Quantized mean, Quantized square) {
    parallel.run(
        mean.blocks(),
        mean.block(),
        (part, from, to) -> {
          Adam adam =
              new Adam(
                  step,
                  gradient,
                  parameter,
                  mean,
                  square,
                  blockwise.book(mean.book()),
                  blockwise.book(square.book()));
          for (long b = from; b < to; b++) adam.block(b);
        });
  }

  /** The blocks of one thread. */
  private static final class Adam {
    private final AdamStep step;
    private final NearestCode meanBook;
    private final NearestCode squareBook;
    private final long g;
    private final long p;
    private final long meanCodes;
    private final long meanAbsmax;
    private final long squareCodes;
    private final long squareAbsmax;
    private final long size;
    private final int block;
    private final float[] m = new float[BlockwiseCodes.PIECE];
    private final float[] v = new float[BlockwiseCodes.PIECE];
    private final CodeVectors.Room room = new CodeVectors.Room();
    private float largestMean;
    private float largestSquare;

    Adam(
        AdamStep step,
        Tensor gradient,
        Tensor parameter,
        Quantized mean,
        Quantized square,
        NearestCode meanBook,
        NearestCode squareBook) {
      this.step = step;
      this.meanBook = meanBook;
      this.squareBook = squareBook;
      g = gradient.address();
      p = parameter.address();
      meanCodes = mean.codes().address();
      meanAbsmax = mean.absmax().address();
      squareCodes = square.codes().address();
      squareAbsmax = square.absmax().address();
      size = parameter.size();
      block = mean.block();
    }

    void block(long number) {
      long start = number * block;
      long end = Math.min(size, start + block);
      boolean whole = end == start + block;
      float oldMean = Lanes.get(meanAbsmax, number);
      float oldSquare = Lanes.get(squareAbsmax, number);
      largestMean = 0;
      largestSquare = 0;
      if (end - start <= BlockwiseCodes.PIECE) {
        int n = (int) (end - start);
        update(start, n, oldMean, oldSquare, true);
        encode(start, n, whole);
      } else {
        for (long at = start; at < end; at += BlockwiseCodes.PIECE) {
          int n = (int) Math.min(BlockwiseCodes.PIECE, end - at);
          update(at, n, oldMean, oldSquare, false);
        }
        for (long at = start; at < end; at += BlockwiseCodes.PIECE) {
          int n = (int) Math.min(BlockwiseCodes.PIECE, end - at);
          update(at, n, oldMean, oldSquare, true);
          encode(at, n, whole);
        }
      }
      Lanes.set(meanAbsmax, number, Quantized.storedScale(largestMean, whole));
      Lanes.set(squareAbsmax, number, Quantized.storedScale(largestSquare, whole));
    }

    private void encode(long at, int n, boolean whole) {
      BlockwiseCodes.encode(meanBook, m, n, largestMean, whole, meanCodes + at, room);
      BlockwiseCodes.encode(squareBook, v, n, largestSquare, whole, squareCodes + at, room);
    }

    /** Leaves the new moments of a piece in m and v. */
    private void update(long at, int n, float meanScale, float squareScale, boolean move) {
      BlockwiseCodes.decode(meanBook, meanCodes + at, meanScale, m, n);
      BlockwiseCodes.decode(squareBook, squareCodes + at, squareScale, v, n);
      update(g + 4 * at, p + 4 * at, n, move);
    }

    private void update(long g, long p, int n, boolean move) {
      double decay = step.weightDecay();
      FloatVector keep = all(step.decoupled() ? 1 - step.learningRate() * decay : 1);
      FloatVector add = all(step.decoupled() ? 0 : decay);
      FloatVector fresh1 = all(1 - step.beta1());
      FloatVector beta2 = all(step.beta2());
      FloatVector fresh2 = all(1 - step.beta2());
      FloatVector rate = all(-step.learningRate() / (1 - Math.pow(step.beta1(), step.step())));
      FloatVector correction = all(1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step())));
      FloatVector epsilon = all(step.epsilon());
      FloatVector largestM = FloatVector.zero(Lanes.FLOATS);
      FloatVector largestV = FloatVector.zero(Lanes.FLOATS);
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        FloatVector w = load(p + 4L * i);
        FloatVector d = w.fma(add, load(g + 4L * i));
        FloatVector m0 = load(m, i);
        FloatVector m1 = d.sub(m0).fma(fresh1, m0);
        FloatVector v1 = d.mul(d).fma(fresh2, load(v, i).mul(beta2));
        m1.intoArray(m, i);
        v1.intoArray(v, i);
        largestM = largestM.max(m1.abs());
        largestV = largestV.max(v1);
        FloatVector u = m1.div(v1.sqrt().fma(correction, epsilon));
        if (move) store(p + 4L * i, u.fma(rate, w.mul(keep)));
      }
      if (i < n) {
        VectorMask<Float> t = tail(i, n);
        FloatVector w = load(p + 4L * i, t);
        FloatVector d = w.fma(add, load(g + 4L * i, t));
        FloatVector m0 = load(m, i, t);
        FloatVector m1 = d.sub(m0).fma(fresh1, m0);
        FloatVector v1 = d.mul(d).fma(fresh2, load(v, i, t).mul(beta2));
        m1.intoArray(m, i, t);
        v1.intoArray(v, i, t);
        largestM = largestM.max(m1.abs());
        largestV = largestV.max(v1);
        FloatVector u = m1.div(v1.sqrt().fma(correction, epsilon));
        if (move) store(p + 4L * i, u.fma(rate, w.mul(keep)), t);
      }
      largestMean = Math.max(largestMean, largestM.reduceLanes(VectorOperators.MAX));
      largestSquare = Math.max(largestSquare, largestV.reduceLanes(VectorOperators.MAX));
    }
  }
}
