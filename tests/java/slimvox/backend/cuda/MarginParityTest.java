package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
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
    for (int[] d : pairs(new int[] {1, 3, 50}, CHANNELS)) {
      if (d[1] == 1) continue; // the gradient is nothing but rounding
      for (Side s : sides(1e-6)) {
        float[] x = normal((long) d[0] * d[1]);
        Arrays.fill(x, 0, d[1], 0); // a row without length
        Tensor y = s.empty(d);
        Tensor inverse = s.empty(d[0]);
        Tensor dy = s.normal(d);
        s.ops.margin.normalizeRows(s.tensor(x, d), y, inverse);
        // the row of zeros has the gradient of a huge slope: leave it out
        float[] inverses = s.ops.floats(inverse);
        inverses[0] = 1;
        s.ops.margin.normalizeRowsBackward(y, s.tensor(inverses, d[0]), dy, dy);
      }
    }
  }

  @Test
  void productsOfRows() {
    for (int[] d : pairs(new int[] {1, 3, 50}, CHANNELS)) {
      for (Side s : sides(1e-6)) {
        s.ops.margin.rowwiseDot(s.normal(d), s.normal(d), s.empty(d[0]));
      }
    }
  }

  @Test
  void marginAndItsSlopeAlsoBeyondTheClamp() {
    int rows = 12;
    for (int classes : CLASSES) {
      for (boolean easy : new boolean[] {false, true}) {
        for (float m : new float[] {0, 0.2f, 0.5f}) {
          AngularMargin margin = new AngularMargin(m, 32, easy);
          for (Side s : sides(1e-6)) {
            float[] values = uniform((long) rows * classes, -1, 1);
            int[] label = labels(rows, classes);
            values[label[0]] = 1;
            values[classes + label[1]] = -1;
            values[2 * classes + label[2]] = 1.0001f;
            Tensor cosine = s.tensor(values, rows, classes);
            Tensor l = s.ints(label);
            Tensor d = s.normal(rows, classes);
            s.ops.margin.marginLogits(cosine, l, margin, s.empty(rows, classes));
            s.ops.margin.marginLogitsBackward(cosine, l, margin, d, d);
            s.ops.margin.marginLogits(cosine, l, margin, cosine);
          }
        }
      }
    }
  }

  @Test
  void crossEntropyOfSmallAndHugeLogitsInPlace() {
    int rows = 9;
    for (int classes : CLASSES) {
      for (double size : new double[] {1, 100}) {
        for (Side s : sides(2e-6)) {
          Tensor logits = s.around(0, size, rows, classes);
          Tensor l = s.ints(labels(rows, classes));
          Tensor loss = s.empty(rows);
          s.ops.margin.argmaxRows(logits, s.ints(new int[rows]));
          s.ops.margin.softmaxCrossEntropy(logits, l, loss, s.empty(rows, classes));
          s.ops.margin.softmaxCrossEntropy(logits, l, loss, logits);
        }
      }
    }
  }

  @Test
  void theFirstOfEqualElementsIsTheLargestAndNaNIsNot() {
    float nan = Float.NaN;
    float low = Float.NEGATIVE_INFINITY;
    float[] x = {1, 3, 3, 2, nan, 5, 7, 7, 2, nan, 4, 4, low, low, low, low, 2, nan, nan, 1};
    for (Side s : sides(0)) s.ops.margin.argmaxRows(s.tensor(x, 5, 4), s.ints(new int[5]));
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
