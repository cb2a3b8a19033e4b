package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
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
 * {@link #PIECE} needs its new absmax first, so its update is computed twice.
 *
 * <p>Each thread spreads codes out in its own part of the workspace.
 */
final class QuantizedOptimizers {
  /** Numbers of one state that are held as float32 at a time, a thread. */
  static final int PIECE = 2048;

  /** Numbers in several short blocks that are worked on together: more of them, less overlap. */
  private static final int RUN = 512;

  private static final int MOST_BLOCKS = 32; // that are held at a time
  private static final long ROOM = 4L * (PIECE + MOST_BLOCKS); // bytes for one state, a thread

  private final Parallel parallel;
  private final BlockwiseCodes blockwise;

  QuantizedOptimizers(Parallel parallel, BlockwiseCodes blockwise) {
    this.parallel = parallel;
    this.blockwise = blockwise;
  }

  /** Bytes of workspace for so many tensors of state. */
  long workspace(int states, long size, int block) {
    return ROOM * states * parallel.parts(Quantized.blocks(size, block), block);
  }

  private static FloatVector all(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }

  private static IntVector sizeBits(FloatVector x) {
    return x.reinterpretAsInts().and(0x7fffffff);
  }

  /** A tensor of state and where one thread spreads it out. */
  private static final class State {
    private final NearestCode book;
    private final int block;
    private final long codes;
    private final long absmax;
    final long x; // of PIECE numbers
    private final long factors; // of MOST_BLOCKS
    private float largest;

    /** State number {@code index} of its optimizer. */
    State(Quantized state, NearestCode book, Tensor workspace, int part, int states, int index) {
      this.book = book;
      block = state.block();
      codes = state.codes().address();
      absmax = state.absmax().address();
      x = workspace.address() + ROOM * (states * part + index);
      factors = x + 4L * PIECE;
    }

    void decode(long at, int n) {
      BlockwiseCodes.decode(book, codes + at, n, absmax + 4 * (at / block), block, x);
    }

    void zero(int n) {
      for (int i = 0; i < n; i++) Lanes.set(x, i, 0);
    }

    /** Takes the bits of the sizes of new numbers. */
    void largest(IntVector sizeBits) {
      float size = Float.intBitsToFloat(sizeBits.reduceLanes(VectorOperators.MAX));
      largest = Math.max(largest, size);
    }

    void keepFactor(int slot) {
      Lanes.set(factors, slot, BlockwiseCodes.factor(largest));
    }

    void keepScale(long number, boolean whole) {
      Lanes.set(absmax, number, Quantized.storedScale(largest, whole));
      largest = 0;
    }

    /** Encodes n numbers of whole blocks. */
    void encode(long at, int n) {
      for (int i = 0, slot = 0; i < n; i += block, slot++) {
        int run = Math.min(block, n - i);
        BlockwiseCodes.encode(book, x + 4L * i, run, Lanes.get(factors, slot), codes + at + i);
      }
    }

    void encodeShort(long at, int from, int n) {
      BlockwiseCodes.encodeShort(book, x + 4L * from, n, largest, codes + at);
    }
  }

  /** What one thread does. */
  private abstract static class Rule {
    private final long size;
    private final int block;
    private final State[] states;

    Rule(Quantized quantized, State... states) {
      size = quantized.codes().size();
      block = quantized.block();
      this.states = states;
    }

    /** Spreads out the n elements of state from {@code at} on. */
    void decode(long at, int n) {
      for (State s : states) s.decode(at, n);
    }

    /**
     * Puts the new state of the n elements from {@code at} on in place of what was spread out, from
     * {@code slot} on.
     *
     * @param move whether to move the parameter too
     */
    abstract void update(long at, int slot, int n, boolean move);

    /** Works on the blocks {@code from} to {@code to}, exclusive. */
    final void run(long from, long to) {
      int most = Math.clamp(RUN / block, 1, MOST_BLOCKS);
      for (long b = from; b < to; b += most) {
        if (block <= PIECE) {
          blocks(b, Math.min(to, b + most));
        } else {
          longBlock(b);
        }
      }
    }

    private void blocks(long first, long end) {
      long start = first * block;
      int n = (int) (Math.min(size, end * block) - start);
      decode(start, n);
      int whole = n / block * block;
      int slot = 0;
      for (int i = 0; i < whole; i += block, slot++) {
        update(start + i, i, block, true);
        for (State s : states) {
          s.keepFactor(slot);
          s.keepScale(first + slot, true);
        }
      }
      for (State s : states) s.encode(start, whole);
      if (whole == n) return;
      update(start + whole, whole, n - whole, true);
      for (State s : states) {
        s.encodeShort(start + whole, whole, n - whole);
        s.keepScale(first + slot, false);
      }
    }

    private void longBlock(long number) {
      long start = number * block;
      long end = Math.min(size, start + block);
      boolean whole = end == start + block;
      for (long at = start; at < end; at += PIECE) {
        int n = (int) Math.min(PIECE, end - at);
        decode(at, n);
        update(at, 0, n, false);
      }
      for (State s : states) s.keepFactor(0);
      for (long at = start; at < end; at += PIECE) {
        int n = (int) Math.min(PIECE, end - at);
        decode(at, n);
        update(at, 0, n, true);
        for (State s : states) {
          if (whole) {
            s.encode(at, n);
          } else {
            s.encodeShort(at, 0, n);
          }
        }
      }
      for (State s : states) s.keepScale(number, whole);
    }
  }

  // ---- SGD

  void sgd(SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, Tensor workspace) {
    NearestCode book = blockwise.book(momentum.book());
    parallel.run(
        momentum.blocks(),
        momentum.block(),
        (part, from, to) -> {
          State b = new State(momentum, book, workspace, part, 1, 0);
          new Sgd(step, gradient, parameter, momentum, b).run(from, to);
        });
  }

  private static final class Sgd extends Rule {
    private final boolean first;
    private final float decay;
    private final float rate;
    private final float keep;
    private final float fresh;
    private final float gPart; // the direction is gPart g + bPart b
    private final float bPart;
    private final long g;
    private final long p;
    private final State b;

    Sgd(SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, State b) {
      super(momentum, b);
      first = step.first();
      decay = step.weightDecay();
      rate = -step.learningRate();
      keep = first ? 0 : step.momentum();
      fresh = first ? 1 : (float) (1.0 - step.dampening());
      gPart = step.nesterov() ? 1 : 0;
      bPart = step.nesterov() ? step.momentum() : 1;
      g = gradient.address();
      p = parameter.address();
      this.b = b;
    }

    @Override
    void decode(long at, int n) {
      // In the first step b becomes g, whatever it was.
      if (first) {
        b.zero(n);
      } else {
        super.decode(at, n);
      }
    }

    @Override
    void update(long at, int slot, int n, boolean move) {
      update(g + 4 * at, p + 4 * at, b.x + 4L * slot, n, move);
    }

    private void update(long g, long p, long b, int n, boolean move) {
      FloatVector decay = all(this.decay);
      FloatVector rate = all(this.rate);
      FloatVector keep = all(this.keep);
      FloatVector fresh = all(this.fresh);
      FloatVector gPart = all(this.gPart);
      FloatVector bPart = all(this.bPart);
      IntVector largest = sizeBits(FloatVector.zero(Lanes.FLOATS));
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        FloatVector w = load(p + 4L * i);
        FloatVector d = w.fma(decay, load(g + 4L * i));
        FloatVector moved = d.fma(fresh, load(b + 4L * i).mul(keep));
        store(b + 4L * i, moved);
        largest = largest.max(sizeBits(moved));
        if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w));
      }
      if (i < n) {
        VectorMask<Float> t = tail(i, n);
        FloatVector w = load(p + 4L * i, t);
        FloatVector d = w.fma(decay, load(g + 4L * i, t));
        FloatVector moved = d.fma(fresh, load(b + 4L * i, t).mul(keep));
        store(b + 4L * i, moved, t);
        largest = largest.max(sizeBits(moved));
        if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w), t);
      }
      this.b.largest(largest);
    }
  }

  // ---- Adam

  void adam(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    NearestCode meanBook = blockwise.book(mean.book());
    NearestCode squareBook = blockwise.book(square.book());
    parallel.run(
        mean.blocks(),
        mean.block(),
        (part, from, to) -> {
          State m = new State(mean, meanBook, workspace, part, 2, 0);
          State v = new State(square, squareBook, workspace, part, 2, 1);
          new Adam(step, gradient, parameter, mean, m, v).run(from, to);
        });
  }

  private static final class Adam extends Rule {
    private final float keep;
    private final float add;
    private final float fresh1;
    private final float beta2;
    private final float fresh2;
    private final float rate;
    private final float correction;
    private final float epsilon;
    private final long g;
    private final long p;
    private final State m;
    private final State v;

    Adam(AdamStep step, Tensor gradient, Tensor parameter, Quantized mean, State m, State v) {
      super(mean, m, v);
      double decay = step.weightDecay();
      keep = (float) (step.decoupled() ? 1 - step.learningRate() * decay : 1);
      add = (float) (step.decoupled() ? 0 : decay);
      fresh1 = (float) (1 - step.beta1());
      beta2 = (float) step.beta2();
      fresh2 = (float) (1 - step.beta2());
      rate = (float) (-step.learningRate() / (1 - Math.pow(step.beta1(), step.step())));
      correction = (float) (1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step())));
      epsilon = (float) step.epsilon();
      g = gradient.address();
      p = parameter.address();
      this.m = m;
      this.v = v;
    }

    @Override
    void update(long at, int slot, int n, boolean move) {
      update(g + 4 * at, p + 4 * at, m.x + 4L * slot, v.x + 4L * slot, n, move);
    }

    private void update(long g, long p, long m, long v, int n, boolean move) {
      FloatVector keep = all(this.keep);
      FloatVector add = all(this.add);
      FloatVector fresh1 = all(this.fresh1);
      FloatVector beta2 = all(this.beta2);
      FloatVector fresh2 = all(this.fresh2);
      FloatVector rate = all(this.rate);
      FloatVector correction = all(this.correction);
      FloatVector epsilon = all(this.epsilon);
      IntVector largestM = sizeBits(FloatVector.zero(Lanes.FLOATS));
      IntVector largestV = largestM;
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        FloatVector w = load(p + 4L * i);
        FloatVector d = w.fma(add, load(g + 4L * i));
        FloatVector m0 = load(m + 4L * i);
        FloatVector m1 = d.sub(m0).fma(fresh1, m0);
        FloatVector v1 = d.mul(d).fma(fresh2, load(v + 4L * i).mul(beta2));
        store(m + 4L * i, m1);
        store(v + 4L * i, v1);
        largestM = largestM.max(sizeBits(m1));
        largestV = largestV.max(sizeBits(v1));
        FloatVector u = m1.div(v1.sqrt().fma(correction, epsilon));
        if (move) store(p + 4L * i, u.fma(rate, w.mul(keep)));
      }
      if (i < n) {
        VectorMask<Float> t = tail(i, n);
        FloatVector w = load(p + 4L * i, t);
        FloatVector d = w.fma(add, load(g + 4L * i, t));
        FloatVector m0 = load(m + 4L * i, t);
        FloatVector m1 = d.sub(m0).fma(fresh1, m0);
        FloatVector v1 = d.mul(d).fma(fresh2, load(v + 4L * i, t).mul(beta2));
        store(m + 4L * i, m1, t);
        store(v + 4L * i, v1, t);
        largestM = largestM.max(sizeBits(m1));
        largestV = largestV.max(sizeBits(v1));
        FloatVector u = m1.div(v1.sqrt().fma(correction, epsilon));
        if (move) store(p + 4L * i, u.fma(rate, w.mul(keep)), t);
      }
      this.m.largest(largestM);
      this.v.largest(largestV);
    }
  }
}
