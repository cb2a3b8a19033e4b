package slimvox.plot;

import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;

/**
 * Turns a drawing into a picture of at most 256 colours, which a PNG file stores in less than half
 * the bytes. Lines, flat areas and their soft edges have few colours to begin with; those that are
 * too many become the nearest of the most frequent ones.
 */
final class FewColours {
  private static final int SIZE = 256;

  /** Colours that differ in lower bits only are counted as one. */
  private static final int SHADE_MASK = 0xFFF8F8F8;

  private FewColours() {}

  static BufferedImage of(BufferedImage image) {
    int w = image.getWidth();
    int h = image.getHeight();
    int[] pixels = image.getRGB(0, 0, w, h, null, 0, w);
    Arrays.setAll(pixels, i -> withFewEdges(pixels[i]));
    Map<Integer, int[]> shades = new HashMap<>(); // the first colour of each, and its pixels
    for (int pixel : pixels) {
      shades.computeIfAbsent(pixel & SHADE_MASK, _ -> new int[] {pixel, 0})[1]++;
    }
    int[] palette =
        shades.entrySet().stream()
            .sorted(
                Comparator.comparingInt((Map.Entry<Integer, int[]> e) -> -e.getValue()[1])
                    .thenComparing(Map.Entry::getKey))
            .limit(SIZE)
            .mapToInt(e -> e.getValue()[0])
            .toArray();
    IndexColorModel colours =
        new IndexColorModel(8, palette.length, palette, 0, true, -1, DataBuffer.TYPE_BYTE);
    Map<Integer, Integer> index = new HashMap<>();
    shades.forEach((key, shade) -> index.put(key, nearest(colours, shade[0])));
    BufferedImage few = new BufferedImage(w, h, BufferedImage.TYPE_BYTE_INDEXED, colours);
    int[] indices = new int[pixels.length];
    for (int i = 0; i < pixels.length; i++) indices[i] = index.get(pixels[i] & SHADE_MASK);
    few.getRaster().setPixels(0, 0, w, h, indices);
    return few;
  }

  /** Soft edges need few steps from clear to opaque, each of which costs bytes. */
  private static int withFewEdges(int pixel) {
    int alpha = pixel >>> 24;
    int step = alpha < 48 ? 32 : 64; // areas may be shaded by an eighth
    int few = Math.min(255, (alpha + step / 2) / step * step);
    return few == 0 ? 0 : few << 24 | pixel & 0xFFFFFF;
  }

  private static int nearest(IndexColorModel colours, int colour) {
    return ((byte[]) colours.getDataElements(colour, null))[0] & 0xFF;
  }
}
