package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class OneBitTest {
  @Test
  void aFewNumbersByHand() {
    OneBit w = new OneBit(0.5, -1.5, 0, -0.0, 2, -1);
    assertArrayEquals(new double[] {1, -1, 1, 1, 1, -1}, w.signs());
    assertEquals("010001", w.bitText());
    assertEquals(0b100010, w.bits());
    assertEquals(5 / 6.0, w.scale(), 1e-15);
    assertArrayEquals(
        new double[] {5 / 6.0, -5 / 6.0, 5 / 6.0, 5 / 6.0, 5 / 6.0, -5 / 6.0},
        w.approximation(),
        1e-15);
    assertEquals(0.25 + 0.25 + 1 + 1 + 1 + 0, w.squaredError(1), 1e-15);
    assertArrayEquals(new double[] {7.5, 3.5}, w.squaredErrors(0, 1), 1e-15);
  }

  @Test
  void noOtherScaleAndNoOtherSignsAreBetter() {
    SplittableRandom random = new SplittableRandom(4);
    for (int n = 1; n <= 10; n++) {
      double[] values = new double[n];
      for (int i = 0; i < n; i++) values[i] = random.nextGaussian();
      OneBit w = new OneBit(values);
      double least = w.squaredError(w.scale());
      assertTrue(w.squaredError(w.scale() + 0.01) > least);
      assertTrue(w.squaredError(w.scale() - 0.01) > least);
      double[] errors = w.errorsOfAllPatterns();
      assertEquals(1 << n, errors.length);
      assertEquals(least, errors[0], 1e-12, "the smallest is that of the signs themselves");
      assertEquals(
          w.squaredError(0), errors[errors.length - 1], 1e-12, "the largest keeps nothing");
    }
  }

  @Test
  void popcountGivesTheSumOfProducts() {
    SplittableRandom random = new SplittableRandom(5);
    for (int n = 1; n <= OneBit.MOST; n++) {
      double[] a = new double[n];
      double[] b = new double[n];
      for (int i = 0; i < n; i++) {
        a[i] = random.nextGaussian();
        b[i] = random.nextGaussian();
      }
      OneBit x = new OneBit(a);
      OneBit y = new OneBit(b);
      double sum = 0;
      for (int i = 0; i < n; i++) sum += x.signs()[i] * y.signs()[i];
      assertEquals(sum, x.popcountDot(y));
    }
  }

  @Test
  void tooManyValuesAndUnequalNumbersAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new OneBit());
    assertThrows(IllegalArgumentException.class, () -> new OneBit(new double[17]));
    assertThrows(IllegalArgumentException.class, () -> new OneBit(1, 2).popcountDot(new OneBit(1)));
  }
}
