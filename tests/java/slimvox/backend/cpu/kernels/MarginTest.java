package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.AngularMargin;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.KernelFixture;
import slimvox.storage.Safetensors;

class MarginTest extends KernelFixture {
  /** The whole head: logits, loss and the gradients of input and weight. */
  @ParameterizedTest
  @CsvSource({
    "m0.0, 0, false",
    "m0.0_easy, 0, true",
    "m0.2, 0.2, false",
    "m0.2_easy, 0.2, true",
    "m0.5, 0.5, false",
    "m0.5_easy, 0.5, true"
  })
  void headAgreesWithWeSpeaker(String name, float m, boolean easy) {
    Safetensors file = knownAnswers("aam.safetensors");
    head(file, "input", "labels", "f64." + name, new AngularMargin(m, 32, easy), 1e-5);
  }

  /**
   * Cosines of +-1 up to rounding: the gradient is finite, and 0 for the clamped cosine. In float32
   * the cosine itself is only known to 1e-7, which near 1 is 4e-4 in the sine.
   */
  @ParameterizedTest
  @CsvSource({"m0.0, 0", "m0.2, 0.2", "m0.5, 0.5"})
  void cosineOfOneIsClamped(String name, float m) {
    Safetensors file = knownAnswers("aam.safetensors");
    AngularMargin margin = new AngularMargin(m, 32, false);
    int rows = (int) file.shape("edge.input")[0];
    int size = (int) file.shape("weight")[1];
    int classes = (int) file.shape("weight")[0];
    double[][] cosine = cosines(file.floats("edge.input"), file.floats("weight"), size);
    Tensor cosineT =
        tensor(filled(rows * classes, i -> cosine[i / classes][i % classes]), rows, classes);
    Tensor labels = labels(ints(file.longs("edge.labels")));
    Tensor logits = tensor(rows, classes);
    ops.margin.marginLogits(cosineT, labels, margin, logits);
    String clamped = "f64.edge." + name + ".clamped";
    assertClose("logits", file.doubles(clamped + ".logits"), logits, 1e-5);
    Tensor loss = tensor(rows);
    Tensor d = tensor(rows, classes);
    ops.margin.softmaxCrossEntropy(logits, labels, loss, d);
    assertMean(file.doubles(clamped + ".loss")[0], loss, 2e-5);
    float[] before = ops.floats(d);
    ops.margin.marginLogitsBackward(cosineT, labels, margin, d, d);
    float[] got = ops.floats(d);
    int[] label = ops.ints(labels);
    for (int i = 0; i < got.length; i++) {
      int r = i / classes;
      boolean target = i % classes == label[r];
      boolean outside = Math.abs((float) cosine[r][i % classes]) > AngularMargin.LIMIT;
      if (target && outside) assertEquals(0, Math.abs(got[i])); // not -0
      if (!target) assertEquals(32 * before[i], got[i]);
    }
    assertEquals(true, ops.elementwise.isFinite(d));
  }

  private void head(
      Safetensors file,
      String input,
      String labelName,
      String expected,
      AngularMargin margin,
      double tolerance) {
    int rows = (int) file.shape(input)[0];
    int size = (int) file.shape(input)[1];
    int classes = (int) file.shape("weight")[0];
    Tensor x = tensor(file.floats(input), rows, size);
    Tensor w = tensor(file.floats("weight"), classes, size);
    Tensor labels = labels(ints(file.longs(labelName)));
    Tensor xn = tensor(rows, size);
    Tensor wn = tensor(classes, size);
    Tensor xInverse = tensor(rows);
    Tensor wInverse = tensor(classes);
    ops.margin.normalizeRows(x, xn, xInverse);
    ops.margin.normalizeRows(w, wn, wInverse);
    Tensor logits = tensor(rows, classes);
    ops.matrices.matmul(false, true, xn, wn, logits, false);
    Tensor cosine = tensor(ops.floats(logits), rows, classes);
    ops.margin.marginLogits(logits, labels, margin, logits);
    assertClose("logits", file.doubles(expected + ".logits"), logits, tolerance);
    Tensor loss = tensor(rows);
    Tensor d = tensor(rows, classes);
    ops.margin.softmaxCrossEntropy(logits, labels, loss, d);
    assertMean(file.doubles(expected + ".loss")[0], loss, tolerance);
    ops.margin.softmaxCrossEntropy(logits, labels, loss, logits); // in place
    assertArrayEquals(ops.floats(d), ops.floats(logits));
    ops.margin.marginLogitsBackward(cosine, labels, margin, d, d);
    Tensor dxn = tensor(rows, size);
    Tensor dwn = tensor(classes, size);
    ops.matrices.matmul(false, false, d, wn, dxn, false);
    ops.matrices.matmul(true, false, d, xn, dwn, false);
    ops.margin.normalizeRowsBackward(xn, xInverse, dxn, dxn);
    ops.margin.normalizeRowsBackward(wn, wInverse, dwn, dwn);
    // The sine near cos = 0.9999 magnifies the rounding of the cosine.
    assertClose("dx", file.doubles(expected + ".grad.input"), dxn, 5 * tolerance);
    assertClose("dw", file.doubles(expected + ".grad.weight"), dwn, 5 * tolerance);
  }

  private void assertMean(double expected, Tensor loss, double tolerance) {
    double mean = 0;
    for (float l : ops.floats(loss)) mean += l;
    assertEquals(expected, mean / loss.size(), tolerance * Math.max(1, expected), "loss");
  }

  private static int[] ints(long[] v) {
    return Arrays.stream(v).mapToInt(i -> (int) i).toArray();
  }

  private static double[][] cosines(float[] a, float[] b, int size) {
    double[][] c = new double[a.length / size][b.length / size];
    for (int i = 0; i < c.length; i++) {
      for (int j = 0; j < c[i].length; j++) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int k = 0; k < size; k++) {
          ab += (double) a[i * size + k] * b[j * size + k];
          aa += (double) a[i * size + k] * a[i * size + k];
          bb += (double) b[j * size + k] * b[j * size + k];
        }
        c[i][j] = ab / Math.sqrt(aa * bb);
      }
    }
    return c;
  }

  @Test
  void rowsOfAnySizeAreNormalized() {
    for (int columns : CHANNELS) {
      int rows = 300;
      float[] x = normal(rows * columns);
      Arrays.fill(x, 0, columns, 0); // no length: stays 0, no NaN
      float[] dy = normal(x.length);
      double[] y = new double[x.length];
      double[] dx = new double[x.length];
      double[] inverse = new double[rows];
      for (int r = 0; r < rows; r++) {
        double square = 0;
        double along = 0;
        for (int i = r * columns; i < (r + 1) * columns; i++) square += (double) x[i] * x[i];
        inverse[r] = 1 / Math.max(Math.sqrt(square), 1e-12);
        for (int i = r * columns; i < (r + 1) * columns; i++) {
          y[i] = x[i] * inverse[r];
          along += y[i] * dy[i];
        }
        for (int i = r * columns; i < (r + 1) * columns; i++) {
          dx[i] = (dy[i] - y[i] * along) * inverse[r];
        }
      }
      Tensor xT = tensor(x, rows, columns);
      Tensor inverseT = tensor(rows);
      ops.margin.normalizeRows(xT, xT, inverseT);
      assertClose("y", y, xT, 1e-6);
      Tensor dyT = tensor(dy, rows, columns);
      ops.margin.normalizeRowsBackward(xT, inverseT, dyT, dyT);
      assertClose("dx", dx, dyT, 1e-6);
      assertClose("inverse", inverse, inverseT, 1e-6);
    }
  }

  @Test
  void crossEntropyOfLargeLogitsIsExact() {
    for (int classes : CHANNELS) {
      int rows = 9;
      float[] x = filled(rows * classes, i -> 200 * random.nextGaussian());
      int[] label = new int[rows];
      double[] loss = new double[rows];
      double[] d = new double[x.length];
      for (int r = 0; r < rows; r++) {
        label[r] = random.nextInt(classes);
        double largest = Double.NEGATIVE_INFINITY;
        double sum = 0;
        for (int c = 0; c < classes; c++) largest = Math.max(largest, x[r * classes + c]);
        for (int c = 0; c < classes; c++) sum += Math.exp(x[r * classes + c] - largest);
        loss[r] = largest + Math.log(sum) - x[r * classes + label[r]];
        for (int c = 0; c < classes; c++) {
          double p = Math.exp(x[r * classes + c] - largest) / sum;
          d[r * classes + c] = (p - (c == label[r] ? 1 : 0)) / rows;
        }
      }
      Tensor lossT = tensor(rows);
      Tensor dT = tensor(rows, classes);
      ops.margin.softmaxCrossEntropy(tensor(x, rows, classes), labels(label), lossT, dT);
      assertClose("loss", loss, ops.floats(lossT), 1e-6, 1);
      assertClose("dlogits", d, ops.floats(dT), 1e-6, 0.1);
    }
  }

  @Test
  void firstOfEqualElementsIsTheLargest() {
    Tensor x = tensor(new float[] {1, 3, 3, 2, -5, -4, -4, -9}, 2, 4);
    Tensor index = labels(7, 7);
    ops.margin.argmaxRows(x, index);
    assertArrayEquals(new int[] {1, 1}, ops.ints(index));
  }

  @Test
  void labelOutsideTheClassesNamesTheRow() {
    Tensor x = tensor(2, 3);
    Tensor loss = tensor(2);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> ops.margin.softmaxCrossEntropy(x, labels(0, 3), loss, x));
    assertEquals("label 3 of row 1 is not one of the 3 classes 0 to 2", e.getMessage());
  }
}
