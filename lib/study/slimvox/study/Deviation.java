package slimvox.study;

import slimvox.backend.CodeBook;

/** How far numbers are off. */
public final class Deviation {
  private Deviation() {}

  /** The relative error of one number held in a code when the largest of its block is 1. */
  public static double of(CodeBook book, float x) {
    return Math.abs(((double) book.value(book.code(x, x)) - x) / x);
  }

  /**
   * The largest relative error of the numbers from {@code low} to {@code high} when the largest of
   * their block is 1, found among a thousand of them at equal ratios.
   */
  public static double worst(CodeBook book, double low, double high) {
    double worst = 0;
    for (int i = 0; i <= 1000; i++) {
      worst = Math.max(worst, of(book, (float) (low * Math.pow(high / low, i / 1000.0))));
    }
    return worst;
  }

  /** The largest difference of two equally long lists of numbers. */
  public static double largest(float[] a, float[] b) {
    if (a.length != b.length) throw new IllegalArgumentException(a.length + " and " + b.length);
    double largest = 0;
    for (int i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((double) a[i] - b[i]));
    return largest;
  }
}
