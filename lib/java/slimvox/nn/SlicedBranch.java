package slimvox.nn;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.NotFiniteException;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * A {@link Branch} computed in slices of its inner channels.
 *
 * <p>The branch is first convolution, BN, ReLU, (depthwise convolution, BN, ReLU,) last
 * convolution, with an optional normalization p = act(BN(x)) before the first. For a slice s of
 * inner channels
 *
 * <pre>
 * c1 = W1[s] p       b1 = act(BN1[s](c1))      c2 = Wd[s] b1     b2 = act(BN2[s](c2))
 * sum += or -= W2[:, s] b2, for each s
 * d2 = W2[:, s]^T dy     dW2[:, s] = dy b2^T    and back through BN2, Wd, BN1 to d1
 * dp = sum over s of W1[s]^T d1     dW1[s] = d1 p^T
 * </pre>
 *
 * <p>At most three buffers of a slice exist at a time: b1 and b2 are rebuilt from c1 and c2 when
 * they are needed; b1 is none of them where the device normalizes what a depthwise convolution
 * reads.
 */
final class SlicedBranch {
  private final BatchNorm2d before; // may be null
  private final Conv2d first;
  private final BatchNorm2d firstNorm;
  private final Conv2d depthwise; // may be null
  private final BatchNorm2d secondNorm; // null with depthwise
  private final Conv2d last;
  private final int slice;

  SlicedBranch(List<BatchNorm2d> norms, List<Conv2d> convolutions, BatchNorm2d after, int slice) {
    int count = convolutions.size();
    this.first = convolutions.getFirst();
    this.last = convolutions.getLast();
    this.depthwise = count == 3 ? convolutions.get(1) : null;
    if (count < 2 || count > 3 || (count == 3 && !depthwise.isDepthwise())) {
      throw new IllegalArgumentException(
          "%s: cannot be sliced, its channels mix between the first and the last convolution"
              .formatted(count == 3 ? depthwise.name() : first.name()));
    }
    if (after != null) {
      throw new IllegalArgumentException(
          last.name()
              + ": cannot be sliced, a batch normalization follows; pre-activation order can");
    }
    if (!convolutions.stream().allMatch(Conv2d::keepsSize)) {
      throw new IllegalArgumentException(first.name() + ": cannot be sliced, it has a stride");
    }
    this.before = norms.getFirst();
    this.firstNorm = norms.get(1);
    this.secondNorm = count == 3 ? norms.get(2) : null;
    this.slice = slice;
  }

  private int inner() {
    return first.weight().value().shape().get(0);
  }

  /** sum += the output. */
  void forwardAdd(Tensor sum, Tensor x, Mode mode) {
    boolean batch = mode != Mode.EVALUATE;
    Tensor p = before == null ? x.retain() : before.forward(x, mode);
    firstNorm.openStatistics(mode);
    if (depthwise != null) secondNorm.openStatistics(mode);
    for (int from = 0; from < inner(); from += slice) {
      int n = Math.min(slice, inner() - from);
      Tensor b = first(p, from, n);
      if (batch) firstNorm.statistics(b, from, mode);
      if (depthwise == null) {
        firstNorm.normalize(b, from, b);
      } else {
        Tensor c2 = middle(b, from, n, true);
        b.close();
        b = c2;
        if (batch) secondNorm.statistics(b, from, mode);
        secondNorm.normalize(b, from, b);
      }
      addLast(1, b, from, n, sum);
      b.close();
    }
    p.close();
    if (!mode.keepsStatistics()) {
      firstNorm.releaseStatistics();
      if (depthwise != null) secondNorm.releaseStatistics();
    }
  }

  /** sum -= the output; returns the gradient of x. */
  Tensor recomputeAndBackward(Tensor x, Tensor dy, Tensor sum) {
    boolean add = first.weight().hasGradient();
    boolean addLast = last.weight().hasGradient();
    boolean addMiddle = depthwise != null && depthwise.weight().hasGradient();
    boolean addNorm = firstNorm.hasGradient();
    boolean addSecondNorm = depthwise != null && secondNorm.hasGradient();
    Tensor p = before == null ? x.retain() : before.forward(x, Mode.RECOMPUTE);
    Tensor dp = x.backend().allocateLike(p, Category.ACTIVATION_GRADIENT, first.name() + ".din");
    for (int from = 0; from < inner(); from += slice) {
      int n = Math.min(slice, inner() - from);
      Tensor c1 = first(p, from, n);
      Tensor c2 = depthwise == null ? c1 : middle(c1, from, n, false);
      Tensor b2 = (depthwise == null ? firstNorm : secondNorm).rebuild(c2, from);
      addLast(-1, b2, from, n, sum);
      lastWeightGradient(b2, dy, from, n, addLast);
      b2.close();
      Tensor d = lastDataGradient(dy, from, n, c2);
      if (depthwise != null) {
        secondNorm.backward(c2, d, from, addSecondNorm);
        c2.close();
        middleWeightGradient(c1, d, from, n, addMiddle);
        d = middleDataGradient(d, from, n);
      }
      firstNorm.backward(c1, d, from, addNorm);
      c1.close();
      firstWeightGradient(p, d, from, n, add);
      addFirstDataGradient(d, from, n, dp);
      d.close();
    }
    p.close();
    dy.close();
    complete(first, firstNorm);
    if (depthwise != null) complete(depthwise, secondNorm);
    last.weight().gradientComplete();
    return before == null ? dp : before.backward(dp);
  }

  private static void complete(Conv2d convolution, BatchNorm2d norm) {
    convolution.weight().gradientComplete();
    norm.releaseStatistics();
    norm.gradientComplete();
  }

  // ---- the first convolution, rows [from, from + n) of its weight

  private Tensor first(Tensor p, int from, int n) {
    Tensor c = allocate(p, first.name() + ".slice", n);
    try (Tensor w = rows(first.weight().value(), from, n)) {
      ops(p).convolutions.forward(geometry(p, w, 1), p, w, c);
    }
    return c;
  }

  private void firstWeightGradient(Tensor p, Tensor d, int from, int n, boolean accumulate) {
    try (Tensor dw = rows(first.weight().gradient(), from, n)) {
      ops(p).convolutions.backwardWeight(geometry(p, dw, 1), p, d, dw, accumulate);
    }
  }

  /** dp (+)= W1[s]^T d. */
  private void addFirstDataGradient(Tensor d, int from, int n, Tensor dp) {
    try (Tensor w = rows(first.weight().value(), from, n)) {
      if (isPointwise(w)) {
        addProduct(d, w, dp, from > 0);
        return;
      }
      if (from == 0) {
        ops(d).convolutions.backwardData(geometry(dp, w, 1), d, w, dp);
        return;
      }
      try (Tensor part = d.backend().allocateLike(dp, dp.category(), dp.label() + ".part")) {
        ops(d).convolutions.backwardData(geometry(dp, w, 1), d, w, part);
        ops(d).elementwise.axpy(1, part, dp);
      }
    }
  }

  /** y = (y +) the rows of d times the matrix w, a product or a convolution with w transposed. */
  private static void addProduct(Tensor d, Tensor w, Tensor y, boolean accumulate) {
    int n = w.shape().get(0);
    int in = w.shape().get(1);
    if (isFloat32(d, y)) {
      try (Tensor matrix = w.view(n, in)) {
        ops(d).matrices.matmul(false, false, d, matrix, y, accumulate);
      }
      return;
    }
    try (Tensor rows = w.view(1, n, 1, in);
        Tensor t =
            w.backend().allocate(Category.WORKSPACE, w.label() + ".transposed", 1, 1, in * n);
        Tensor columns = t.view(in, n, 1, 1)) {
      ops(d).rearrangement.framesFirst(rows, t);
      Convolution g = geometry(d, columns, 1);
      if (accumulate) ops(d).convolutions.forwardAdd(g, d, columns, y);
      else ops(d).convolutions.forward(g, d, columns, y);
    }
  }

  private static boolean isFloat32(Tensor x, Tensor y) {
    return x.type() == DataType.FLOAT32 && y.type() == DataType.FLOAT32;
  }

  // ---- the depthwise convolution

  /** Wd[s] b1, where {@code c1} may become b1 if nobody needs it any more. */
  private Tensor middle(Tensor c1, int from, int n, boolean over) {
    try (Tensor w = rows(depthwise.weight().value(), from, n)) {
      Convolution g = geometry(c1, w, n);
      if (readsNormalized(c1, g)) {
        Tensor c2 = allocate(c1, depthwise.name() + ".slice", n);
        firstNorm.channels(from, n, c -> ops(c1).convolutions.forward(g, c1, c, w, c2));
        return c2;
      }
      try (Tensor b = over ? c1.retain() : firstNorm.rebuild(c1, from)) {
        if (over) firstNorm.normalize(c1, from, b);
        Tensor c2 = allocate(b, depthwise.name() + ".slice", n);
        ops(b).convolutions.forward(g, b, w, c2);
        return c2;
      }
    }
  }

  private void middleWeightGradient(Tensor c1, Tensor d, int from, int n, boolean accumulate) {
    try (Tensor dw = rows(depthwise.weight().gradient(), from, n)) {
      Convolution g = geometry(c1, dw, n);
      if (readsNormalized(c1, g)) {
        firstNorm.channels(
            from, n, c -> ops(d).convolutions.backwardWeight(g, c1, c, d, dw, accumulate));
        return;
      }
      try (Tensor b = firstNorm.rebuild(c1, from)) {
        ops(b).convolutions.backwardWeight(g, b, d, dw, accumulate);
      }
    }
  }

  /** Whether the convolution normalizes what it reads: b1 then is no tensor. */
  private boolean readsNormalized(Tensor c1, Convolution g) {
    return firstNorm.hasReLU() && ops(c1).convolutions.normalizes(g);
  }

  private Tensor middleDataGradient(Tensor d, int from, int n) {
    Tensor dx = d.backend().allocateLike(d, d.category(), depthwise.name() + ".din");
    try (Tensor w = rows(depthwise.weight().value(), from, n)) {
      ops(d).convolutions.backwardData(geometry(dx, w, n), d, w, dx);
    }
    d.close();
    return dx;
  }

  // ---- the last convolution, columns [from, from + n) of its weight

  /** y += sign W2[:, s] b. */
  private void addLast(float sign, Tensor b, int from, int n, Tensor y) {
    try (Tensor w = lastColumns(sign, from, n)) {
      if (isPointwise(w) && isFloat32(b, y)) {
        try (Tensor matrix = w.view(w.shape().get(0), n)) {
          ops(b).matrices.matmul(false, true, b, matrix, y, true);
        }
      } else {
        ops(b).convolutions.forwardAdd(geometry(b, w, 1), b, w, y);
      }
    } catch (NotFiniteException e) {
      throw e.under(last.name() + ".out");
    }
  }

  private Tensor lastDataGradient(Tensor dy, int from, int n, Tensor like) {
    String label = last.name() + ".din";
    Tensor d = dy.backend().allocateLike(like, Category.ACTIVATION_GRADIENT, label);
    try (Tensor w = lastColumns(1, from, n)) {
      ops(dy).convolutions.backwardData(geometry(d, w, 1), dy, w, d);
    }
    return d;
  }

  private void lastWeightGradient(Tensor b, Tensor dy, int from, int n, boolean accumulate) {
    Shape shape = columnShape(n);
    String label = last.name() + ".columns.grad";
    try (Tensor dw = b.backend().allocate(Category.WORKSPACE, label, shape.toArray());
        Tensor whole = flat(last.weight().gradient());
        Tensor part = flat(dw)) {
      int column = column(from, n, part);
      if (accumulate) ops(b).rearrangement.sliceChannels(whole, column, part);
      ops(b).convolutions.backwardWeight(geometry(b, dw, 1), b, dy, dw, accumulate);
      ops(b).rearrangement.writeChannels(part, column, whole);
    }
  }

  /** Some columns of the last weight, O x n x k x k; in the weight they are not side by side. */
  private Tensor lastColumns(float sign, int from, int n) {
    Tensor weight = last.weight().value();
    Shape shape = columnShape(n);
    Tensor w =
        weight.backend().allocate(Category.WORKSPACE, last.name() + ".columns", shape.toArray());
    try (Tensor whole = flat(weight);
        Tensor part = flat(w)) {
      ops(w).rearrangement.sliceChannels(whole, column(from, n, part), part);
    }
    if (sign != 1) ops(w).elementwise.axpy(sign - 1, w, w);
    return w;
  }

  /** Where the columns from {@code from} on begin in a row of the weight. */
  private static int column(int from, int n, Tensor part) {
    return Math.toIntExact((long) from * (part.shape().get(1) / n));
  }

  private Shape columnShape(int n) {
    Shape shape = last.weight().value().shape();
    return Shape.of(shape.get(0), n, shape.get(2), shape.get(3));
  }

  private static Tensor flat(Tensor weight) {
    int out = weight.shape().get(0);
    return weight.view(out, Math.toIntExact(weight.size() / out));
  }

  // ---- shapes

  private static Tensor rows(Tensor weight, int from, int n) {
    int[] lengths = weight.shape().toArray();
    long row = weight.size() / lengths[0];
    lengths[0] = n;
    return weight.part(from * row, lengths);
  }

  private static boolean isPointwise(Tensor weight) {
    return weight.shape().get(2) == 1 && weight.shape().get(3) == 1;
  }

  private static Convolution geometry(Tensor x, Tensor weight, int groups) {
    int pad = (weight.shape().get(2) - 1) / 2;
    return Convolution.of(x.shape(), weight.shape(), 1, 1, pad, groups, x.type());
  }

  private static Tensor allocate(Tensor like, String label, int channels) {
    Backend backend = like.backend();
    int[] lengths = like.shape().toArray();
    lengths[3] = channels;
    return backend.allocate(Category.ACTIVATION, label, like.type(), Shape.of(lengths));
  }

  private static Operations ops(Tensor x) {
    return x.backend().ops();
  }
}
