package slimvox.binary;

import slimvox.backend.cpu.Lanes;

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
record Plane(long address, int height, int width, int elements) {
  /** Bytes of a plane, its border included. */
  static long bytes(int height, int width, int elements) {
    return 4L * (height + 2) * (width + 2) * elements;
  }

  /** Words that hold the signs of so many channels. */
  static int words(int channels) {
    return (channels + 31) / 32;
  }

  /** Bytes of this plane, its border included. */
  long bytes() {
    return bytes(height, width, elements);
  }

  /** Bytes from one row to the next. */
  long rowBytes() {
    return (width + 2) * pixelBytes();
  }

  /** Bytes of one pixel. */
  long pixelBytes() {
    return 4L * elements;
  }

  /** Where pixel (h, w) lies; -1 and H or W are in the border. */
  long pixel(int h, int w) {
    return address + (h + 1) * rowBytes() + (w + 1) * pixelBytes();
  }

  /** Fills the border with zeros. */
  void clearBorder() {
    clear(pixel(-1, -1), rowBytes() + pixelBytes());
    // The last pixel of a row and the first of the next are neighbours.
    for (int h = 0; h < height - 1; h++) clear(pixel(h, width), 2 * pixelBytes());
    clear(pixel(height - 1, width), rowBytes() + pixelBytes());
  }

  private static void clear(long from, long bytes) {
    Lanes.ALL.asSlice(from, bytes).fill((byte) 0);
  }
}
