package slimvox.backend.packed;

/**
 * An activation of one utterance in memory: H x W pixels of so many elements of 4 bytes each, with
 * a border of one pixel around it.
 *
 * <p>Elements are float32 channels, or words of 32 sign bits (bit i of word j is 1 where channel 32
 * j + i is negative). A border of zero bytes is then what a convolution pads with: 0 for floats, +1
 * for signs.
 *
 * @param address of the border's first pixel
 * @param elements of one pixel
 */
public record Plane(long address, int height, int width, int elements) {
  /** Bytes of a plane, its border included. */
  public static long bytes(int height, int width, int elements) {
    return 4L * (height + 2) * (width + 2) * elements;
  }

  /** Words that hold the signs of so many channels. */
  public static int words(int channels) {
    return (channels + 31) / 32;
  }

  /** Bytes of this plane, its border included. */
  public long bytes() {
    return bytes(height, width, elements);
  }

  /** Bytes from one row to the next. */
  public long rowBytes() {
    return (width + 2) * pixelBytes();
  }

  /** Bytes of one pixel. */
  public long pixelBytes() {
    return 4L * elements;
  }

  /** Where pixel (h, w) lies; -1 and H or W are in the border. */
  public long pixel(int h, int w) {
    return address + (h + 1) * rowBytes() + (w + 1) * pixelBytes();
  }
}
