package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.AngularMargin;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;

/** The angular margin loss against the CPU. */
class MarginParityTest extends ParityFixture {
  private static final int[] CLASSES = {1, 2, 5, 255, 256, 257, 1000};

  private int[] labels(int rows, int classes) {
    return random.ints(rows, 0, classes).toArray();
  }

  @Test
  void rowsOfLengthOne() {
    for (int rows : new int[] {1, 3, 50}) {
      for (int columns : CHANNELS) {
        if (columns == 1) continue; // the gradient is nothing but rounding
        float[] x = normal((long) rows * columns);
        Arrays.fill(x, 0, columns, 0); // a row without length
        float[] up = normal((long) rows * columns);
        compare(
            "rows of " + columns,
            1e-6,
            s -> {
              Tensor in = s.tensor(x, rows, columns);
              Tensor y = s.empty(rows, columns);
              Tensor inverse = s.empty(rows);
              Tensor d = s.tensor(up, rows, columns);
              s.ops.margin.normalizeRows(in, y, inverse);
              // the row of zeros has the gradient of a huge slope: leave it out
              float[] inverses = s.ops.floats(inverse);
              inverses[0] = 1;
              s.ops.margin.normalizeRowsBackward(y, s.tensor(inverses, rows), d, d);
              return List.of(y, inverse, d);
            });
      }
    }
  }

  @Test
  void productsOfRows() {
    for (int rows : new int[] {1, 3, 50}) {
      for (int columns : CHANNELS) {
        float[] x = normal((long) rows * columns);
        float[] y = normal((long) rows * columns);
        compare(
            "products of rows of " + columns,
            1e-6,
            s -> {
              Tensor out = s.empty(rows);
              s.ops.margin.rowwiseDot(s.tensor(x, rows, columns), s.tensor(y, rows, columns), out);
              return List.of(out);
            });
      }
    }
  }

  @Test
  void marginAndItsSlopeAlsoBeyondTheClamp() {
    for (int classes : CLASSES) {
      int rows = 12;
      float[] cosine = uniform((long) rows * classes, -1, 1);
      int[] label = labels(rows, classes);
      cosine[label[0]] = 1;
      cosine[classes + label[1]] = -1;
      cosine[2 * classes + label[2]] = 1.0001f;
      float[] up = normal((long) rows * classes);
      for (boolean easy : new boolean[] {false, true}) {
        for (float m : new float[] {0, 0.2f, 0.5f}) {
          AngularMargin margin = new AngularMargin(m, 32, easy);
          compare(
              "margin, classes " + classes,
              1e-6,
              s -> {
                Tensor c = s.tensor(cosine, rows, classes);
                Tensor l = s.ints(label);
                Tensor logits = s.empty(rows, classes);
                Tensor d = s.tensor(up, rows, classes);
                s.ops.margin.marginLogits(c, l, margin, logits);
                s.ops.margin.marginLogitsBackward(c, l, margin, d, d);
                s.ops.margin.marginLogits(c, l, margin, c);
                return List.of(logits, d, c);
              });
        }
      }
    }
  }

  @Test
  void crossEntropyOfSmallAndHugeLogitsInPlace() {
    for (int classes : CLASSES) {
      for (double size : new double[] {1, 100}) {
        int rows = 9;
        float[] x = normal((long) rows * classes, 0, size);
        int[] label = labels(rows, classes);
        compare(
            "cross entropy, classes " + classes,
            2e-6,
            s -> {
              Tensor logits = s.tensor(x, rows, classes);
              Tensor l = s.ints(label);
              Tensor loss = s.empty(rows);
              Tensor d = s.empty(rows, classes);
              Tensor best = s.ints(new int[rows]);
              s.ops.margin.argmaxRows(logits, best);
              s.ops.margin.softmaxCrossEntropy(logits, l, loss, d);
              s.ops.margin.softmaxCrossEntropy(logits, l, loss, logits);
              return List.of(loss, d, logits, best);
            });
      }
    }
  }

  @Test
  void theFirstOfEqualElementsIsTheLargestAndNaNIsNot() {
    float nan = Float.NaN;
    float low = Float.NEGATIVE_INFINITY;
    float[] x = {1, 3, 3, 2, nan, 5, 7, 7, 2, nan, 4, 4, low, low, low, low, 2, nan, nan, 1};
    compare(
        "largest",
        0,
        s -> {
          Tensor best = s.ints(new int[5]);
          s.ops.margin.argmaxRows(s.tensor(x, 5, 4), best);
          return List.of(best);
        });
  }

  @Test
  void aLabelThatIsNoClassMakesTheLossNaN() {
    try (CudaDevice device = HostDevice.open(false)) {
      Side s = new Side(new Backend(device));
      Tensor loss = s.empty(2);
      Tensor logits = s.tensor(normal(6), 2, 3);
      s.ops.margin.softmaxCrossEntropy(logits, s.ints(1, 3), loss, s.empty(2, 3));
      float[] losses = s.ops.floats(loss);
      assertTrue(Float.isFinite(losses[0]) && Float.isNaN(losses[1]));
      s.release();
    }
  }
}
