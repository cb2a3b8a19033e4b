package slimvox.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import slimvox.backend.CodeBook;
import slimvox.storage.Safetensors;

class DynamicTreeTest {
  private static final Safetensors REFERENCE =
      Safetensors.read(Path.of("tests/data/optim/quantize.safetensors"));

  @Test
  void bothKindsAreBitsandbytesMapsToTheBit() {
    assertArrayEquals(REFERENCE.floats("map.signed"), DynamicTree.signed().values());
    assertArrayEquals(REFERENCE.floats("map.unsigned"), DynamicTree.unsigned().values());
  }

  @Test
  void zeroAndOneAreExactAndMinusOneIsNot() {
    CodeBook signed = DynamicTree.signed();
    assertEquals(127, signed.nearest(0f));
    assertEquals(127, signed.nearest(-0f));
    assertEquals(0, signed.value(127));
    assertEquals(1, signed.value(signed.nearest(1)));
    assertEquals(-0.99296875f, signed.value(signed.nearest(-1)));
    assertEquals(0, DynamicTree.unsigned().nearest(0));
    assertEquals(1, DynamicTree.unsigned().value(255));
  }

  @Test
  void theBitsOfACodeAreItsValue() {
    assertEquals("0 0 1 10110", DynamicTree.bits(181));
    for (int code = 0; code < CodeBook.SIZE; code++) {
      float value = DynamicTree.signed().value(code);
      if (value == 0 || value == 1) continue;
      String bits = DynamicTree.bits(code).replace(" ", "");
      assertEquals(8, bits.length());
      int zeros = bits.indexOf('1', 1) - 1;
      String fraction = bits.substring(2 + zeros);
      int step = fraction.isEmpty() ? 0 : Integer.parseInt(fraction, 2);
      double size = 0.1 + 0.9 * (step + 0.5) / (1 << fraction.length());
      double decoded = (bits.charAt(0) == '1' ? -1 : 1) * size * Math.pow(10, -zeros);
      assertEquals(value, decoded, 1e-6 * size);
    }
    assertEquals("zero", DynamicTree.bits(127));
    assertEquals("one", DynamicTree.bits(255));
  }

  /** What the class promises: half a step is 0.7 % of the largest number, 6 % of a tenth of it. */
  @Test
  void theErrorIsHalfAStepOfItsDecade() {
    for (boolean isSigned : new boolean[] {true, false}) {
      CodeBook book = isSigned ? DynamicTree.signed() : DynamicTree.unsigned();
      double share = isSigned ? 0.0617 : 0.0329;
      for (double decade = 1; decade > 2e-6; decade /= 10, share *= 2) {
        double worst = 0;
        for (double x = decade; x > decade * 0.1001; x -= decade / 5000) {
          worst = Math.max(worst, Math.abs(book.value(book.nearest((float) x)) - x) / x);
        }
        assertTrue(worst <= share, decade + ": " + worst);
        if (decade == 1) assertTrue(worst > 0.98 * share, decade + ": " + worst);
      }
    }
  }

  @Test
  void aMidPointGetsTheLowerCode() {
    for (CodeBook book :
        new CodeBook[] {
          DynamicTree.signed(), DynamicTree.unsigned(), LinearCode.signed(), LinearCode.unsigned()
        }) {
      for (int c = 0; c < CodeBook.SIZE; c++) {
        assertEquals(c, book.nearest(book.value(c)));
        if (c == CodeBook.SIZE - 1) continue;
        assertEquals(c, book.nearest(book.upperBound(c)));
        assertEquals(c + 1, book.nearest(Math.nextUp(book.upperBound(c))));
      }
    }
  }

  @Test
  void theLinearCodeHasEqualSteps() {
    CodeBook signed = LinearCode.signed();
    assertEquals(0, signed.value(127));
    assertEquals(1, signed.value(255));
    assertEquals(-127 / 128f, signed.value(0));
    for (int c = 1; c < CodeBook.SIZE; c++) {
      assertEquals(1 / 128f, signed.value(c) - signed.value(c - 1));
      assertEquals(c / 255f, LinearCode.unsigned().value(c));
    }
  }

  @Test
  void aBookThatDoesNotRiseIsRefused() {
    float[] values = DynamicTree.signed().values();
    values[9] = values[8];
    var e = assertThrows(IllegalArgumentException.class, () -> new CodeBook("mine", values));
    assertEquals(
        "mine: number 9 is " + values[8] + "; they must rise, from -1 to 1", e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> new CodeBook("short", new float[255]));
  }
}
