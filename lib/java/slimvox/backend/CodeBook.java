package slimvox.backend;

/**
 * 256 numbers from -1 to 1, in ascending order, for codes of one byte: code c stands for number c.
 *
 * <p>A number between two of the book gets the code of the nearer one, which the mid-point {@code
 * (value(c) + value(c + 1)) / 2}, rounded to float32, decides; the mid-point itself gets the lower
 * code. The best-known books are built by {@code slimvox.optim.DynamicTree}.
 *
 * <p>A book whose first number is zero is for state that is divided by. In it the smallest number
 * other than zero also stands for all that lies between them, so that what is not zero does not
 * become zero, and an infinite number counts as the largest finite one.
 */
public final class CodeBook {
  /** How many codes there are. */
  public static final int SIZE = 256;

  private final String name;
  private final float[] values;
  private final boolean nearestOnly;

  /**
   * A book.
   *
   * @param name for messages, for example {@code dynamic signed}
   * @param values 256 finite numbers, each larger than the one before
   */
  public CodeBook(String name, float[] values) {
    this(name, values, false);
  }

  private CodeBook(String name, float[] values, boolean nearestOnly) {
    if (values.length != SIZE) {
      throw new IllegalArgumentException(name + " has " + values.length + " numbers, not " + SIZE);
    }
    for (int c = 0; c < SIZE; c++) {
      boolean rises = c == 0 || values[c] > values[c - 1];
      if (!rises || Math.abs(values[c]) > 1 || Float.isNaN(values[c])) {
        throw new IllegalArgumentException(
            name + ": number " + c + " is " + values[c] + "; they must rise, from -1 to 1");
      }
    }
    this.name = name;
    this.values = values.clone();
    this.nearestOnly = nearestOnly;
  }

  /**
   * The same numbers without any care for what is done with them: nearest codes only, as published,
   * and an optimizer's step on them has none of its guards. To compare with.
   */
  public CodeBook nearestOnly() {
    return new CodeBook(name + ", nearest only", values, true);
  }

  /** Whether this is what {@link #nearestOnly()} gives. */
  public boolean isNearestOnly() {
    return nearestOnly;
  }

  /** The number that a code stands for. */
  public float value(int code) {
    return values[code];
  }

  /** All 256 numbers. */
  public float[] values() {
    return values.clone();
  }

  /** What codes stand for that share a scale in blocks of so many. */
  public float[] values(byte[] codes, float[] absmax, int block) {
    float[] numbers = new float[codes.length];
    for (int i = 0; i < codes.length; i++) {
      numbers[i] = values[codes[i] & 255] * absmax[i / block];
    }
    return numbers;
  }

  /** The largest number that still gets {@code code}; infinity for the last code. */
  public float upperBound(int code) {
    return code == SIZE - 1 ? Float.POSITIVE_INFINITY : (values[code] + values[code + 1]) / 2;
  }

  /** The code of the number that is nearest to {@code x}. */
  public int nearest(float x) {
    int low = 0;
    int high = SIZE - 1;
    while (low < high) {
      int middle = (low + high) / 2;
      if (x <= upperBound(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /** The least code of a number above zero. */
  public int least() {
    return values[0] == 0 && !nearestOnly ? 1 : 0;
  }

  /**
   * The code of {@code x} in a block where {@code share} is x divided by the largest number: the
   * nearest to the share, but at least {@link #least} if x is above zero, be the share zero or not.
   */
  public int code(float x, float share) {
    return Math.max(nearest(share), x > 0 ? least() : 0);
  }

  /** The scale of a block whose largest size is {@code absmax}; NaN stays NaN. */
  public float scale(float absmax) {
    return least() > 0 && absmax == Float.POSITIVE_INFINITY ? Float.MAX_VALUE : absmax;
  }

  @Override
  public String toString() {
    return name;
  }
}
