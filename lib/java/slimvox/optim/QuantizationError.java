package slimvox.optim;

import slimvox.backend.CodeBook;
import slimvox.backend.Quantized;

/**
 * What one tensor of state loses when it is held in codes of 8 bits.
 *
 * <p>The relative error of a number x that comes back as y is |y - x| / |x|; it is 1 for a number
 * that becomes zero. Zeros are exact and not counted.
 *
 * @param name of the state, for example {@code conv1.weight.momentum}
 * @param count numbers that are not zero
 * @param mean relative error, on average over them; 0 if there are none
 * @param max largest relative error
 * @param vanished share of them that becomes zero
 */
public record QuantizationError(String name, long count, double mean, double max, double vanished) {

  /**
   * Compares numbers with as many that come back.
   *
   * @throws IllegalArgumentException if there are more of one than of the other
   */
  public static QuantizationError of(String name, float[] exact, float[] back) {
    if (exact.length != back.length) {
      throw new IllegalArgumentException(name + ": " + exact.length + " and " + back.length);
    }
    long count = 0;
    long vanished = 0;
    double sum = 0;
    double max = 0;
    for (int i = 0; i < exact.length; i++) {
      if (exact[i] == 0) continue;
      double error = Math.abs(((double) back[i] - exact[i]) / exact[i]);
      count++;
      sum += error;
      max = Math.max(max, error);
      if (back[i] == 0) vanished++;
    }
    double n = Math.max(1, count);
    return new QuantizationError(name, count, sum / n, max, vanished / n);
  }

  /**
   * What comes back of numbers when they are quantized in blocks: the bits of {@link Quantized},
   * computed one by one.
   */
  public static float[] roundTrip(float[] exact, CodeBook book, int block) {
    float[] back = new float[exact.length];
    for (int start = 0; start < exact.length; start += block) {
      int end = Math.min(exact.length, start + block);
      float absmax = 0;
      for (int i = start; i < end; i++) absmax = Math.max(absmax, Math.abs(exact[i]));
      absmax = book.scale(absmax);
      boolean whole = end - start == block;
      float divisor = Math.max(absmax, Quantized.LEAST_SCALE);
      float scale = Quantized.storedScale(absmax, whole);
      for (int i = start; i < end; i++) {
        float share = whole ? exact[i] * (1 / divisor) : exact[i] / divisor;
        back[i] = book.value(book.code(exact[i], share)) * scale;
      }
    }
    return back;
  }
}
