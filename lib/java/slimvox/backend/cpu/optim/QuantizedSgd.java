package slimvox.backend.cpu.optim;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;
import static slimvox.backend.cpu.optim.QuantizedState.sizeBits;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;

/** SGD with a quantized momentum buffer, for the blocks of one thread; see {@link Optimizers}. */
final class QuantizedSgd extends QuantizedRule {
  private final boolean first;
  private final float decay;
  private final float rate;
  private final float keep;
  private final float fresh;
  private final float gPart; // the direction is gPart g + bPart b
  private final float bPart;
  private final long g;
  private final long p;
  private final QuantizedState b;

  QuantizedSgd(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, QuantizedState b) {
    super(momentum, gradient, step.keep(), b);
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
  void renew(long at, int from, int n, boolean last) {
    renew(g + 4 * at, p + 4 * at, b.x + 4L * from, n, last);
  }

  private void renew(long g, long p, long b, int n, boolean move) {
    FloatVector decay = all(this.decay);
    FloatVector rate = all(this.rate);
    FloatVector keep = all(this.keep);
    FloatVector fresh = all(this.fresh);
    FloatVector gPart = all(this.gPart);
    FloatVector bPart = all(this.bPart);
    IntVector largest = sizeBits(FloatVector.zero(Lanes.FLOATS));
    IntVector least = sizeBits(all(Float.POSITIVE_INFINITY));
    int i = 0;
    for (; i <= n - LANES; i += LANES) {
      FloatVector w = load(p + 4L * i);
      FloatVector gradient = load(g + 4L * i);
      least = least.min(sizeBits(gradient));
      FloatVector d = w.fma(decay, gradient);
      FloatVector moved = d.fma(fresh, load(b + 4L * i).mul(keep));
      store(b + 4L * i, moved);
      largest = largest.max(sizeBits(moved));
      if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w));
    }
    if (i < n) {
      VectorMask<Float> t = tail(i, n);
      FloatVector w = load(p + 4L * i, t);
      FloatVector gradient = load(g + 4L * i, t);
      least = least.min(sizeBits(gradient));
      FloatVector d = w.fma(decay, gradient);
      FloatVector moved = d.fma(fresh, load(b + 4L * i, t).mul(keep));
      store(b + 4L * i, moved, t);
      largest = largest.max(sizeBits(moved));
      if (move) store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w), t);
    }
    this.b.largest(largest);
    leastGradient(least);
  }

  @Override
  void encode(long at, int from, int n, boolean whole) {
    b.encode(at, from, n, whole);
  }
}
