package slimvox.backend.cpu.optim;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import slimvox.backend.AdamStep;
import slimvox.backend.CodeBook;
import slimvox.backend.Optimizers;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/**
 * One step of an optimizer, in PyTorch's order of operations, in one pass.
 *
 * <pre>
 * SGD    g += weightDecay p;  b = momentum b + (1 - dampening) g (g in the first step)
 *        p -= learningRate (nesterov ? g + momentum b : b)       reads g p b, writes p b: 20 bytes
 * Adam   m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
 *        p -= learningRate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 *                                                                reads g p m v, writes p m v: 28
 * AdamW  first p *= 1 - learningRate weightDecay; Adam instead g += weightDecay p
 * </pre>
 *
 * <p>With {@link Quantized} state the rules are the same. Block by block: spread the codes out into
 * float32 in the first cache, update state and parameter there, quantize the new state. A
 * parameter's state never exists as float32 in memory: SGD reads g p and 1 byte of b, writes p and
 * b (14 bytes in all), Adam 16. Each thread spreads codes out in its own part of the workspace.
 */
public final class CpuOptimizers implements Optimizers.Kernels {

  private final Parallel parallel;
  private final Map<CodeBook, NearestCode> books = new ConcurrentHashMap<>();

  /** Kernels that share {@code parallel} with the other families. */
  public CpuOptimizers(Parallel parallel) {
    this.parallel = parallel;
  }

  /** A kernel on {@code count} floats of each of some tensors. */
  private interface Kernel {
    void run(long[] at, int count);
  }

  /** Runs a kernel that changes all of the tensors but the first, the gradient. */
  private void run(Kernel kernel, Tensor... tensors) {
    Elements[] elements = Stream.of(tensors).map(Elements::of).toArray(Elements[]::new);
    Elements.strips(
        parallel,
        tensors[0].size(),
        4,
        (from, count, tables) -> {
          long[] at = new long[elements.length];
          Arrays.setAll(at, k -> elements[k].read(from, count, tables[k]));
          kernel.run(at, count);
          for (int k = 1; k < at.length; k++) elements[k].write(from, count, at[k]);
          return 0;
        },
        elements);
  }

  // ---- SGD

  @Override
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    if (momentumBuffer == null) {
      run((at, count) -> sgd(step, at[0], at[1], count), gradient, parameter);
      return;
    }
    // In the first step b is set to g, whatever it held: it may hold NaN.
    Kernel kernel =
        step.first()
            ? (at, count) -> sgdFirst(step, at[0], at[1], at[2], count)
            : (at, count) -> sgdMomentum(step, at[0], at[1], at[2], count);
    run(kernel, gradient, parameter, momentumBuffer);
  }

  private static FloatVector all(double value) {
    return FloatVector.broadcast(Lanes.FLOATS, (float) value);
  }

  private static void sgd(SgdStep step, long g, long p, int count) {
    FloatVector decay = all(step.weightDecay());
    FloatVector rate = all(-step.learningRate());
    for (int i = 0; i < count; i += LANES) {
      FloatVector w = load(p + 4L * i);
      store(p + 4L * i, w.fma(decay, load(g + 4L * i)).fma(rate, w));
    }
  }

  private static void sgdFirst(SgdStep step, long g, long p, long b, int count) {
    FloatVector decay = all(step.weightDecay());
    // b = g, so that g + momentum b = (1 + momentum) g
    FloatVector rate = all(-step.learningRate() * (step.nesterov() ? 1.0 + step.momentum() : 1.0));
    for (int i = 0; i < count; i += LANES) {
      FloatVector w = load(p + 4L * i);
      FloatVector d = w.fma(decay, load(g + 4L * i));
      store(b + 4L * i, d);
      store(p + 4L * i, d.fma(rate, w));
    }
  }

  private static void sgdMomentum(SgdStep step, long g, long p, long b, int count) {
    FloatVector decay = all(step.weightDecay());
    FloatVector rate = all(-step.learningRate());
    FloatVector momentum = all(step.momentum());
    FloatVector fresh = all(1.0 - step.dampening());
    // The direction is gPart g + bPart b.
    FloatVector gPart = all(step.nesterov() ? 1 : 0);
    FloatVector bPart = all(step.nesterov() ? step.momentum() : 1);
    for (int i = 0; i < count; i += LANES) {
      FloatVector w = load(p + 4L * i);
      FloatVector d = w.fma(decay, load(g + 4L * i));
      FloatVector moved = d.fma(fresh, load(b + 4L * i).mul(momentum));
      store(b + 4L * i, moved);
      store(p + 4L * i, moved.fma(bPart, d.mul(gPart)).fma(rate, w));
    }
  }

  // ---- Adam

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    Kernel kernel = (at, count) -> adam(step, at[0], at[1], at[2], at[3], count);
    run(kernel, gradient, parameter, mean, square);
  }

  private static void adam(AdamStep step, long g, long p, long m, long v, int count) {
    double decay = step.weightDecay();
    FloatVector keep = all(step.decoupled() ? 1 - step.learningRate() * decay : 1);
    FloatVector add = all(step.decoupled() ? 0 : decay);
    FloatVector fresh1 = all(1 - step.beta1());
    FloatVector beta2 = all(step.beta2());
    FloatVector fresh2 = all(1 - step.beta2());
    FloatVector rate = all(-step.learningRate() / (1 - Math.pow(step.beta1(), step.step())));
    FloatVector correction = all(1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step())));
    FloatVector epsilon = all(step.epsilon());
    for (int i = 0; i < count; i += LANES) {
      FloatVector w = load(p + 4L * i);
      FloatVector d = w.fma(add, load(g + 4L * i));
      FloatVector m0 = load(m + 4L * i);
      FloatVector m1 = d.sub(m0).fma(fresh1, m0);
      FloatVector v1 = d.mul(d).fma(fresh2, load(v + 4L * i).mul(beta2));
      store(m + 4L * i, m1);
      store(v + 4L * i, v1);
      FloatVector u = m1.div(v1.sqrt().fma(correction, epsilon));
      store(p + 4L * i, u.fma(rate, w.mul(keep)));
    }
  }

  // ---- 8 bits

  @Override
  public void quantize(Tensor x, Quantized y) {
    NearestCode book = book(y.book());
    long in = x.address();
    long codes = y.codes().address();
    long absmax = y.absmax().address();
    long size = x.size();
    int block = y.block();
    parallel.run(
        y.blocks(),
        block,
        (part, from, to) -> {
          for (long b = from; b < to; b++) {
            long start = b * block;
            int n = (int) (Math.min(size, start + block) - start);
            float largest = y.book().scale(BlockwiseCodes.largest(in + 4 * start, n));
            if (n == block) {
              BlockwiseCodes.encode(
                  book, in + 4 * start, n, BlockwiseCodes.factor(largest), codes + start);
            } else {
              BlockwiseCodes.encodeShort(book, in + 4 * start, n, largest, codes + start);
            }
            Lanes.set(absmax, b, Quantized.storedScale(largest, n == block));
          }
        });
  }

  /** The book with its tables, made when first asked for. */
  private NearestCode book(CodeBook book) {
    return books.computeIfAbsent(book, NearestCode::new);
  }

  @Override
  public long sgdQuantizedWorkspace(long size, int block) {
    return workspace(1, size, block);
  }

  @Override
  public long adamQuantizedWorkspace(long size, int block) {
    return workspace(2, size, block);
  }

  /** Bytes of workspace for so many tensors of state. */
  private long workspace(int states, long size, int block) {
    return QuantizedState.ROOM * states * parallel.parts(Quantized.blocks(size, block), block);
  }

  @Override
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, Tensor workspace) {
    NearestCode book = book(momentum.book());
    parallel.run(
        momentum.blocks(),
        momentum.block(),
        (part, from, to) -> {
          QuantizedState b = new QuantizedState(momentum, book, workspace, part);
          new QuantizedSgd(step, gradient, parameter, momentum, b).run(from, to);
        });
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    NearestCode meanBook = book(mean.book());
    NearestCode squareBook = book(square.book());
    parallel.run(
        mean.blocks(),
        mean.block(),
        (part, from, to) -> {
          QuantizedState m = new QuantizedState(mean, meanBook, workspace, 2 * part);
          QuantizedState v = new QuantizedState(square, squareBook, workspace, 2 * part + 1);
          new QuantizedAdam(step, gradient, parameter, mean, m, v).run(from, to);
        });
  }
}
