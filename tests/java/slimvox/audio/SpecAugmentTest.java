package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SpecAugmentTest {
  private static final int FRAMES = 50;
  private static final int BINS = 20;

  @Test
  void masksAreOneRunOfFramesAndOneOfBinsOfAllowedLengths() {
    var random = new SplittableRandom(5);
    var augment = new SpecAugment(1, 10, 8);
    var lengths = new boolean[2][11];
    for (int draw = 0; draw < 2000; draw++) {
      Features features = augment.apply(ones(), random);
      int[] frames = IntStream.range(0, FRAMES).filter(t -> isMaskedRow(features, t)).toArray();
      int[] bins = IntStream.range(0, BINS).filter(b -> isMaskedColumn(features, b)).toArray();
      assertRun(frames, 10);
      assertRun(bins, 8);
      lengths[0][frames.length] = true;
      lengths[1][bins.length] = true;
      long zeros = IntStream.range(0, FRAMES * BINS).filter(i -> features.values()[i] == 0).count();
      assertEquals(
          frames.length * BINS + bins.length * (FRAMES - frames.length), zeros, "only the masks");
    }
    assertTrue(IntStream.rangeClosed(1, 10).allMatch(n -> lengths[0][n]));
    assertTrue(IntStream.rangeClosed(1, 8).allMatch(n -> lengths[1][n]));
  }

  @Test
  void probabilityIsTheShareOfMaskedUtterances() {
    var random = new SplittableRandom(6);
    int masked = 0;
    for (int draw = 0; draw < 5000; draw++) {
      float[] values = new SpecAugment(0.6, 10, 8).apply(ones(), random).values();
      masked += Arrays.equals(values, ones().values()) ? 0 : 1;
    }
    // Four standard deviations of a binomial share around 0.6.
    assertEquals(0.6, masked / 5000.0, 4 * Math.sqrt(0.24 / 5000));
  }

  @Test
  void sameSeedDrawsTheSameMasks() {
    var augment = new SpecAugment(1, 10, 8);
    assertArrayEquals(
        augment.apply(ones(), new SplittableRandom(7)).values(),
        augment.apply(ones(), new SplittableRandom(7)).values());
  }

  @Test
  void impossibleSettingsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new SpecAugment(1.1, 10, 8));
    assertThrows(IllegalArgumentException.class, () -> new SpecAugment(0.5, -1, 8));
  }

  private static void assertRun(int[] places, int longest) {
    assertTrue(places.length >= 1 && places.length <= longest, Arrays.toString(places));
    assertEquals(places.length - 1, places[places.length - 1] - places[0], "in a row");
  }

  private static boolean isMaskedRow(Features features, int frame) {
    return IntStream.range(0, BINS).allMatch(b -> features.get(frame, b) == 0);
  }

  private static boolean isMaskedColumn(Features features, int bin) {
    return IntStream.range(0, FRAMES).allMatch(t -> features.get(t, bin) == 0);
  }

  private static Features ones() {
    var values = new float[FRAMES * BINS];
    Arrays.fill(values, 1);
    return new Features(values, FRAMES, BINS);
  }
}
