package slimvox.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.CodeBook;
import slimvox.optim.DynamicTree;
import slimvox.optim.LinearCode;

/** The look-up against the search that defines it. */
class NearestCodeTest {
  private static final List<CodeBook> BOOKS =
      List.of(
          DynamicTree.signed(), DynamicTree.unsigned(), LinearCode.signed(), LinearCode.unsigned());

  @Test
  void floatsAroundEveryBoundGetTheNearestCode() {
    for (CodeBook book : BOOKS) {
      NearestCode fast = new NearestCode(book);
      for (int c = 0; c < CodeBook.SIZE - 1; c++) {
        float x = book.upperBound(c);
        for (int i = 0; i < 5; i++) x = Math.nextDown(x);
        for (int i = 0; i < 11; i++, x = Math.nextUp(x)) check(book, fast, x);
      }
    }
  }

  /**
   * One float in 499: 8.6 million of all sizes and both signs. Between bounds codes cannot jump.
   */
  @Test
  void floatsOfAllSizesGetTheNearestCode() {
    for (CodeBook book : BOOKS) {
      NearestCode fast = new NearestCode(book);
      for (long bits = 0; bits < 1L << 32; bits += 499) {
        float x = Float.intBitsToFloat((int) bits);
        if (!Float.isNaN(x)) check(book, fast, x);
      }
    }
  }

  @Test
  void theEndsOfTheNumberLineGetTheEndsOfTheBook() {
    for (CodeBook book : BOOKS) {
      NearestCode fast = new NearestCode(book);
      for (float x :
          new float[] {0, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, Float.MAX_VALUE, -1e38f}) {
        check(book, fast, x);
      }
      check(book, fast, Float.POSITIVE_INFINITY);
      check(book, fast, Float.NEGATIVE_INFINITY);
      assertEquals(255, fast.of(Float.NaN));
    }
  }

  private static void check(CodeBook book, NearestCode fast, float x) {
    int expected = book.nearest(x);
    int actual = fast.of(x);
    if (expected != actual) assertEquals(expected, actual, book + " at " + x);
  }
}
