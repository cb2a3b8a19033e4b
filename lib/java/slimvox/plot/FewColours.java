package slimvox.plot;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns a drawing into a picture of at most 256 colours, which a PNG file stores in less than half
 * the bytes. Lines, flat areas and their soft edges have few colours to begin with; those that are
 * too many become the nearest of the most frequent ones.
 */
final class FewColours {
  private static final int SIZE = 256;

  /** Channels keep so many of their upper bits where colours are counted and compared. */
  private static final int SHADE_MASK = 0xF8F8F8;

  private FewColours() {}

  static BufferedImage of(BufferedImage image) {
    int w = image.getWidth();
    int h = image.getHeight();
    int[] pixels = image.getRGB(0, 0, w, h, null, 0, w);
    Map<Integer, int[]> shades = new HashMap<>();
    for (int pixel : pixels) {
      int[] seen = shades.computeIfAbsent(pixel & SHADE_MASK, key -> new int[] {pixel, 0});
      seen[1]++;
    }
    List<Map.Entry<Integer, int[]>> frequent =
        shades.entrySet().stream()
            .sorted(
                Comparator.comparingInt((Map.Entry<Integer, int[]> e) -> -e.getValue()[1])
                    .thenComparing(Map.Entry::getKey))
            .toList();
    int[] palette =
        frequent.stream().limit(SIZE).mapToInt(e -> e.getValue()[0] & 0xFFFFFF).toArray();
    Map<Integer, Integer> index = new HashMap<>();
    for (var shade : frequent) index.put(shade.getKey(), nearest(palette, shade.getValue()[0]));
    IndexColorModel colours =
        new IndexColorModel(
            8,
            SIZE,
            Arrays.copyOf(palette, SIZE),
            0,
            false,
            -1,
            java.awt.image.DataBuffer.TYPE_BYTE);
    BufferedImage few = new BufferedImage(w, h, BufferedImage.TYPE_BYTE_INDEXED, colours);
    int[] indices = new int[pixels.length];
    for (int i = 0; i < pixels.length; i++) indices[i] = index.get(pixels[i] & SHADE_MASK);
    few.getRaster().setPixels(0, 0, w, h, indices);
    return few;
  }

  private static int nearest(int[] palette, int colour) {
    int best = 0;
    int least = Integer.MAX_VALUE;
    for (int i = 0; i < palette.length; i++) {
      int distance = 0;
      for (int shift = 0; shift <= 16; shift += 8) {
        int difference = (palette[i] >> shift & 0xFF) - (colour >> shift & 0xFF);
        distance += difference * difference;
      }
      if (distance < least) {
        least = distance;
        best = i;
      }
    }
    return best;
  }
}
