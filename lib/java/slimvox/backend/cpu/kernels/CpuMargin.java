package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.getInt;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.setInt;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.AngularMargin;
import slimvox.backend.Margin;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.ReproducibleMath;

/**
 * The parts of an additive angular margin loss (Deng et al. 2019, arXiv 1801.07698), row by row.
 *
 * <p>phi and its slope concern one element of a row and are calculated in float64.
 */
public final class CpuMargin implements Margin.Kernels {
  private static final double SHORTEST = 1e-12;
  private static final double LIMIT = 1 - 1e-7;

  private final Parallel parallel;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuMargin(Parallel parallel) {
    this.parallel = parallel;
  }

  private interface RowKernel {
    /** Works on one row; {@code at} is its place in bytes. */
    void run(long row, long at);
  }

  private void rows(Tensor x, RowKernel kernel) {
    long bytes = 4L * x.shape().get(-1);
    parallel.run(
        x.shape().rows(),
        x.shape().get(-1),
        (part, from, to) -> {
          for (long row = from; row < to; row++) kernel.run(row, row * bytes);
        });
  }

  // ---- length 1

  @Override
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    int columns = x.shape().get(-1);
    long in = x.address();
    long out = y.address();
    long inverses = inverseNorm.address();
    rows(
        x,
        (row, at) -> {
          double norm = Math.sqrt(dot(in + at, in + at, columns));
          float inverse = (float) (1 / Math.max(norm, SHORTEST));
          scale(in + at, inverse, out + at, columns);
          set(inverses, row, inverse);
        });
  }

  @Override
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    int columns = y.shape().get(-1);
    long out = y.address();
    long up = dy.address();
    long down = dx.address();
    long inverses = inverseNorm.address();
    rows(
        y,
        (row, at) -> {
          float along = (float) dot(out + at, up + at, columns);
          combine(up + at, -along, out + at, get(inverses, row), down + at, columns);
        });
  }

  @Override
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {
    int columns = x.shape().get(-1);
    long a = x.address();
    long b = y.address();
    long products = out.address();
    rows(x, (row, at) -> set(products, row, (float) dot(a + at, b + at, columns)));
  }

  private static double dot(long x, long y, int count) {
    FloatVector a = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) a = load(x + 4L * i).fma(load(y + 4L * i), a);
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      a = load(x + 4L * i, m).fma(load(y + 4L * i, m), a);
    }
    return ReproducibleMath.sum(a);
  }

  private static void scale(long x, float factor, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(y + 4L * i, load(x + 4L * i).mul(factor));
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, load(x + 4L * i, m).mul(factor), m);
    }
  }

  /** z = (x + alpha y) factor. */
  private static void combine(long x, float alpha, long y, float factor, long z, int count) {
    FloatVector a = FloatVector.broadcast(Lanes.FLOATS, alpha);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(z + 4L * i, load(y + 4L * i).fma(a, load(x + 4L * i)).mul(factor));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(z + 4L * i, load(y + 4L * i, m).fma(a, load(x + 4L * i, m)).mul(factor), m);
    }
  }

  // ---- margin

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    int classes = cosine.shape().get(-1);
    long in = cosine.address();
    long out = logits.address();
    long label = labels.address();
    rows(
        cosine,
        (row, at) -> {
          int column = column(label, row, classes);
          double phi = phi(get(in + at, column), margin);
          scale(in + at, margin.scale(), out + at, classes);
          set(out + at, column, (float) (margin.scale() * phi));
        });
  }

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    int classes = cosine.shape().get(-1);
    long in = cosine.address();
    long up = dlogits.address();
    long down = dcosine.address();
    long label = labels.address();
    rows(
        cosine,
        (row, at) -> {
          int column = column(label, row, classes);
          double d = get(up + at, column) * slope(get(in + at, column), margin);
          scale(up + at, margin.scale(), down + at, classes);
          set(down + at, column, (float) (margin.scale() * d));
        });
  }

  private static boolean isMarginApplied(double cosine, AngularMargin margin) {
    return cosine > (margin.easyMargin() ? 0 : Math.cos(Math.PI - margin.margin()));
  }

  private static double clamp(double cosine) {
    return Math.min(Math.max(cosine, -LIMIT), LIMIT); // a NaN stays one
  }

  private static double phi(double cosine, AngularMargin margin) {
    double c = clamp(cosine);
    double m = margin.margin();
    if (isMarginApplied(c, margin)) return c * Math.cos(m) - Math.sqrt(1 - c * c) * Math.sin(m);
    return margin.easyMargin() ? c : c - (1 + Math.cos(Math.PI - m));
  }

  /** Derivative of phi; 0 outside the clamp. */
  private static double slope(double cosine, AngularMargin margin) {
    double c = clamp(cosine);
    if (c != cosine) return 0;
    if (!isMarginApplied(c, margin)) return 1;
    double m = margin.margin();
    return Math.cos(m) + c / Math.sqrt(1 - c * c) * Math.sin(m);
  }

  /** A row's label, checked: it becomes an address. */
  private static int column(long labels, long row, int classes) {
    int label = getInt(labels, row);
    if (label < 0 || label >= classes) {
      throw new IllegalArgumentException(
          "label %d of row %d is not one of the %d classes 0 to %d"
              .formatted(label, row, classes, classes - 1));
    }
    return label;
  }

  // ---- cross entropy

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    int classes = logits.shape().get(-1);
    long rows = logits.shape().rows();
    long in = logits.address();
    long down = dlogits.address();
    long label = labels.address();
    long losses = loss.address();
    rows(
        logits,
        (row, at) -> {
          int column = column(label, row, classes);
          float target = get(in + at, column);
          float largest = largest(in + at, classes);
          double sum = exponentials(in + at, largest, down + at, classes);
          double p = get(down + at, column) / sum;
          set(losses, row, (float) (Math.log(sum) + ((double) largest - target)));
          scale(down + at, (float) (1 / (sum * rows)), down + at, classes);
          set(down + at, column, (float) ((p - 1) / rows));
        });
  }

  private static float largest(long x, int count) {
    FloatVector a = FloatVector.broadcast(Lanes.FLOATS, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i <= count - LANES; i += LANES) a = a.max(load(x + 4L * i));
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      a = a.lanewise(VectorOperators.MAX, load(x + 4L * i, m), m);
    }
    return a.reduceLanes(VectorOperators.MAX);
  }

  /** y = exp(x - largest); returns the sum. */
  private static double exponentials(long x, float largest, long y, int count) {
    FloatVector a = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector e = ReproducibleMath.exp(load(x + 4L * i).sub(largest));
      store(y + 4L * i, e);
      a = a.add(e);
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector e = ReproducibleMath.exp(load(x + 4L * i, m).sub(largest));
      store(y + 4L * i, e, m);
      a = a.lanewise(VectorOperators.ADD, e, m);
    }
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += a.lane(lane);
    return sum;
  }

  @Override
  public void argmaxRows(Tensor x, Tensor index) {
    int columns = x.shape().get(-1);
    long in = x.address();
    long out = index.address();
    rows(
        x,
        (row, at) -> {
          int best = 0;
          float largest = get(in + at, 0);
          for (int c = 1; c < columns; c++) {
            float v = get(in + at, c);
            if (v > largest) {
              largest = v;
              best = c;
            }
          }
          setInt(out, row, best);
        });
  }
}
