package slimvox.backend.cpu.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
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

  /** The same floats from -1 to 1 in vectors of 64; a guess that is off by one would show here. */
  @Test
  void vectorsGiveTheNearestCodesAndTheirValues() {
    assumeTrue(CodeVectors.USABLE, "this processor has no vectors of 512 bits");
    List<CodeBook> books = new ArrayList<>(BOOKS);
    books.add(DynamicTree.nearestOnly(false));
    for (CodeBook book : books) {
      List<Float> floats = new ArrayList<>(List.of(0f, -0f, 1f, -1f, Float.MIN_VALUE, 1e-38f));
      for (int c = 0; c < CodeBook.SIZE - 1; c++) {
        float x = book.upperBound(c);
        for (int i = 0; i < 5; i++) x = Math.nextDown(x);
        for (int i = 0; i < 11; i++, x = Math.nextUp(x)) floats.add(x);
      }
      for (int bits = 0; bits < Float.floatToRawIntBits(1f); bits += 1999) {
        floats.add(Float.intBitsToFloat(bits));
        floats.add(-Float.intBitsToFloat(bits));
      }
      if (book.nearest(0) == 0) floats.removeIf(x -> x < 0 || Float.floatToRawIntBits(x) < 0);
      compareInVectors(book, floats);
    }
  }

  private static void compareInVectors(CodeBook book, List<Float> floats) {
    NearestCode nearest = new NearestCode(book);
    assertNotNull(nearest.vectors, book.toString());
    int run = 4096;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment codes = arena.allocate(run, 64);
      MemorySegment x = arena.allocate(4L * run, 64);
      MemorySegment three = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 3);
      MemorySegment back = arena.allocate(4L * run, 64);
      for (int at = 0; at < floats.size(); at += run) {
        int n = Math.min(run, floats.size() - at);
        for (int i = 0; i < n; i++) x.setAtIndex(ValueLayout.JAVA_FLOAT, i, floats.get(at + i));
        BlockwiseCodes.encode(nearest, x.address(), n, 1, codes.address());
        BlockwiseCodes.decode(nearest, codes.address(), n, three.address(), n, back.address());
        for (int i = 0; i < n; i++) {
          int expected = book.code(floats.get(at + i), floats.get(at + i));
          int code = codes.get(ValueLayout.JAVA_BYTE, i) & 255;
          if (expected != code) assertEquals(expected, code, book + " at " + floats.get(at + i));
          float value = back.getAtIndex(ValueLayout.JAVA_FLOAT, i);
          if (value != 3 * book.value(code)) assertEquals(3 * book.value(code), value);
        }
      }
    }
  }

  private static void check(CodeBook book, NearestCode fast, float x) {
    int expected = book.nearest(x);
    int actual = fast.of(x);
    if (expected != actual) assertEquals(expected, actual, book + " at " + x);
  }
}
