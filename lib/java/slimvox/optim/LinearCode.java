package slimvox.optim;

import slimvox.backend.CodeBook;

/**
 * The linear 8-bit code, to compare {@link DynamicTree} with: numbers at equal distances.
 *
 * <p>Signed: (c - 127) / 128 for code c, from -0.992 to 1 with 0 at code 127, where the dynamic
 * tree has it too. Unsigned: c / 255. What is smaller than half a step, 0.4 % or 0.2 % of the
 * largest number, becomes zero, or, unsigned, one step.
 */
public final class LinearCode {
  private static final CodeBook SIGNED = new CodeBook("linear signed", values(127, 128));
  private static final CodeBook UNSIGNED = new CodeBook("linear unsigned", values(0, 255));

  private LinearCode() {}

  /** For numbers of both signs. */
  public static CodeBook signed() {
    return SIGNED;
  }

  /** For numbers from 0 up. */
  public static CodeBook unsigned() {
    return UNSIGNED;
  }

  private static float[] values(int zero, int steps) {
    float[] values = new float[CodeBook.SIZE];
    for (int c = 0; c < CodeBook.SIZE; c++) values[c] = (float) (c - zero) / steps;
    return values;
  }
}
