package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Features;
import slimvox.audio.SpecAugment;

class BatchesTest {
  private static final SpecAugment MASKS = new SpecAugment(0.6, 10, 8);

  @TempDir Path folder;

  /**
   * Features whose every value says where it comes from: utterance number x 1000 + frame, plus
   * 100,000 x speed; three bins that differ by 0.25.
   */
  private record Numbered(Corpus corpus, int frames, List<Double> speeds) implements FeatureSource {
    @Override
    public int bins() {
      return 3;
    }

    @Override
    public FeatureView features(Utterance utterance, int speed) {
      int number = corpus.utterances().indexOf(utterance);
      float[] values = new float[frames * 3];
      for (int i = 0; i < values.length; i++) {
        values[i] = 100_000 * speed + 1000 * number + i / 3 + 0.25f * (i % 3);
      }
      return FeatureView.of(new Features(values, frames, 3));
    }
  }

  private static Corpus corpus(int speakers, int utterances) {
    ArrayList<Utterance> all = new ArrayList<>();
    for (int s = 0; s < speakers; s++) {
      for (int u = 0; u < utterances; u++) {
        all.add(
            new Utterance(
                "s" + s + "-" + u, "s" + s, Optional.empty(), new Utterance.Sound(Path.of("x"))));
      }
    }
    return new Corpus(Path.of("here"), all, Map.of(), List.of());
  }

  private static Batches batches(Corpus corpus, int frames, BatchSettings settings) {
    return new Batches(corpus, new Numbered(corpus, frames, List.of(1.0)), settings);
  }

  private static BatchSettings raw(int size, int frames) {
    return joining(1, size, frames);
  }

  private static BatchSettings joining(int count, int size, int frames) {
    return SyntheticCorpus.settings(size, frames, count, false, SpecAugment.NONE, 5);
  }

  private static BatchSettings normalized(int size, int frames, SpecAugment masks) {
    return SyntheticCorpus.settings(size, frames, 1, true, masks, 1);
  }

  @Test
  void cropsAreConsecutiveFramesInTheNetworksLayout() {
    Corpus corpus = corpus(2, 4);
    Batches batches = batches(corpus, 50, raw(8, 10));
    Set<Float> starts = new HashSet<>();
    for (int index = 0; index < 4; index++) {
      Batch batch = batches.batch(index, 0);
      for (int n = 0; n < 8; n++) {
        int number = corpus.utterances().indexOf(corpus.utterance(batch.utterances()[n]));
        float start = batch.features()[n * 30] - 1000 * number;
        assertTrue(start >= 0 && start <= 40, "start " + start);
        starts.add(start);
        for (int b = 0; b < 3; b++) {
          for (int t = 0; t < 10; t++) {
            assertEquals(
                1000 * number + start + t + 0.25f * b, batch.features()[n * 30 + b * 10 + t]);
          }
        }
        assertEquals(number / 4, batch.labels()[n]);
      }
    }
    assertTrue(starts.size() > 10, "crops start at different places: " + starts);
  }

  @Test
  void shortRecordingIsRepeatedFromItsBeginning() {
    Corpus corpus = corpus(2, 1);
    Batch batch = batches(corpus, 4, raw(2, 11)).batch(0, 0);
    for (int n = 0; n < 2; n++) {
      for (int t = 0; t < 11; t++) {
        assertEquals(1000 * batch.labels()[n] + t % 4, batch.features()[n * 33 + t]);
      }
    }
  }

  @Test
  void joinedRecordingsAreDifferentOnesOfOneSpeaker() {
    Corpus corpus = corpus(3, 5);
    Batches batches = batches(corpus, 4, joining(3, 6, 12));
    for (int epoch = 0; epoch < 5; epoch++) {
      Batch batch = batches.batch(epoch, 0);
      for (int n = 0; n < 6; n++) {
        Set<Integer> heard = new HashSet<>();
        for (int part = 0; part < 3; part++) {
          float first = batch.features()[n * 36 + 4 * part];
          int number = (int) first / 1000;
          assertEquals(0, first % 1000, "whole recordings, one after the other");
          assertEquals(3, batch.features()[n * 36 + 4 * part + 3] % 1000);
          assertEquals(batch.labels()[n], number / 5);
          assertTrue(heard.add(number), "no recording twice");
        }
      }
    }
    // Two recordings, three wanted: one is heard again, and the crop crosses the joints.
    Corpus few = corpus(2, 2);
    Batch batch = batches(few, 4, joining(3, 4, 10)).batch(0, 0);
    for (int i = 0; i < 4; i++)
      assertEquals(batch.labels()[i], (int) batch.features()[i * 30] / 2000);
    // The only recording of a speaker is heard again and again.
    Batch alone = batches(corpus(2, 1), 4, joining(3, 2, 12)).batch(0, 0);
    for (int i = 0; i < 24; i++)
      assertEquals(1000 * alone.labels()[i / 12] + i % 4, alone.features()[i / 12 * 36 + i % 12]);
  }

  @Test
  void speedsAreClassesOfTheirOwnInWeSpeakersOrder() {
    Corpus corpus = corpus(2, 10);
    FeatureSource source = new Numbered(corpus, 20, List.of(1.0, 0.9, 1.1));
    Batches batches = new Batches(corpus, source, raw(20, 10));
    assertEquals(6, batches.classes());
    int[] seen = new int[6];
    for (int epoch = 0; epoch < 5; epoch++) {
      Batch batch = batches.batch(epoch, 0);
      for (int n = 0; n < 20; n++) {
        int speed = (int) batch.features()[n * 30] / 100_000;
        int speaker = corpus.label(corpus.utterance(batch.utterances()[n]).speaker());
        assertEquals(speaker + 2 * speed, batch.labels()[n]);
        seen[batch.labels()[n]]++;
      }
    }
    for (int count : seen) assertTrue(count > 5, "every class comes: " + count);
  }

  @Test
  void everyRecordingComesOnceBeforeAnyComesTwice() {
    Corpus corpus = corpus(3, 7);
    Batches batches = batches(corpus, 10, raw(4, 5));
    assertEquals(5, batches.batchesPerEpoch());
    // 21 batches of 4 are exactly four passes over 21 recordings.
    Map<String, Integer> count = new HashMap<>();
    for (int k = 0; k < 21; k++) {
      Batch batch = batches.batch(k / 5, k % 5);
      for (String id : batch.utterances()) {
        int times = count.merge(id, 1, Integer::sum);
        int passes = (4 * k + 3) / 21 + 1;
        assertTrue(times <= passes, id + " " + times + " times in " + passes + " passes");
      }
    }
    assertEquals(21, count.size());
    count.values().forEach(times -> assertEquals(4, times));
  }

  @Test
  void meanOverTheCropIsSubtracted() {
    Batch batch = batches(corpus(2, 3), 50, normalized(3, 9, SpecAugment.NONE)).batch(0, 0);
    for (int row = 0; row < 9; row++) {
      for (int t = 0; t < 9; t++) assertEquals(t - 4, batch.features()[row * 9 + t], 1e-3f);
    }
  }

  @Test
  void masksAreZerosAfterTheMeanIsSubtracted() {
    BatchSettings settings = normalized(64, 20, new SpecAugment(1, 5, 0));
    Batch batch = batches(corpus(2, 32), 50, settings).batch(0, 0);
    int masked = 0;
    for (int n = 0; n < 64; n++) {
      int zeros = 0;
      for (int t = 0; t < 20; t++) {
        boolean zero = batch.features()[n * 60 + t] == 0;
        for (int b = 1; b < 3; b++) {
          assertEquals(zero, batch.features()[n * 60 + b * 20 + t] == 0, "a frame is masked whole");
        }
        if (zero) zeros++;
      }
      assertTrue(zeros >= 1 && zeros <= 5, "masked frames: " + zeros);
      masked += zeros;
    }
    assertTrue(masked > 64 && masked < 64 * 5, "lengths differ: " + masked);
  }

  @Test
  void sameSeedSameBatchOtherSeedOtherBatch() {
    Corpus corpus = corpus(2, 20);
    BatchSettings settings = SyntheticCorpus.settings(8, 10, 1, false, MASKS, 5);
    float[] first = batches(corpus, 50, settings).batch(2, 1).features();
    assertArrayEquals(first, batches(corpus, 50, settings).batch(2, 1).features());
    BatchSettings other = SyntheticCorpus.settings(8, 10, 1, false, MASKS, 6);
    assertFalse(Arrays.equals(first, batches(corpus, 50, other).batch(2, 1).features()));
    assertFalse(Arrays.equals(first, batches(corpus, 50, settings).batch(3, 1).features()));
  }

  @Test
  void oneSpeakerIsRefused() {
    assertRefused(
        "here: one speaker only (s0); training needs at least two",
        () -> batches(corpus(1, 5), 10, raw(2, 5)));
  }

  @Test
  void impossibleSettingsAreNamed() {
    assertRefused(
        "batches of 0 crops, 200 frames, 1 joined utterances: each must be at least 1",
        () -> raw(0, 200));
  }

  @Test
  void loaderGivesTheSameBatchesWithAnyNumberOfThreads() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 4, 5);
    FeatureSource source = new FeatureMemory(SyntheticCorpus.reader(corpus, 1.0, 0.9));
    BatchSettings settings = SyntheticCorpus.settings(6, 40, 2, true, MASKS, 3);
    Batches batches = new Batches(corpus, source, settings);
    for (int threads = 1; threads <= 5; threads += 2) {
      try (BatchLoader loader = new BatchLoader(batches, 0, 0, threads, threads + 1)) {
        for (int k = 0; k < 9; k++) {
          Batch expected = batches.batch(k / 3, k % 3);
          Batch batch = loader.next();
          assertEquals(k / 3, batch.epoch());
          assertEquals(k % 3, batch.index());
          assertArrayEquals(expected.features(), batch.features());
          assertArrayEquals(expected.labels(), batch.labels());
          assertArrayEquals(expected.utterances(), batch.utterances());
        }
        assertTrue(loader.waitNanos() > 0);
      }
    }
  }

  @Test
  void loaderResumesAtAnyBatch() throws Exception {
    Corpus corpus = corpus(3, 8);
    Batches batches = batches(corpus, 50, raw(5, 10));
    try (BatchLoader loader = new BatchLoader(batches, 3, 2, 2, 3)) {
      Batch batch = loader.next();
      assertArrayEquals(batches.batch(3, 2).features(), batch.features());
      batch = loader.next();
      assertArrayEquals(batches.batch(3, 3).features(), batch.features());
      for (int k = 4; k < batches.batchesPerEpoch(); k++) batch = loader.next();
      batch = loader.next();
      assertEquals(4, batch.epoch());
      assertEquals(0, batch.index());
    }
  }

  @Test
  void loaderReusesItsArrays() throws Exception {
    Batches batches = batches(corpus(3, 8), 50, raw(5, 10));
    Set<Integer> arrays = new HashSet<>();
    try (BatchLoader loader = new BatchLoader(batches, 0, 0, 2, 3)) {
      for (int k = 0; k < 50; k++) arrays.add(System.identityHashCode(loader.next().features()));
    }
    assertTrue(arrays.size() <= 4, arrays.size() + " arrays");
  }

  @Test
  void loaderShowsTheNextBatchBeforeItHandsItOut() throws Exception {
    Batches batches = batches(corpus(3, 8), 50, raw(5, 10));
    try (BatchLoader loader = new BatchLoader(batches, 0, 0, 1, 2)) {
      loader.next();
      Batch shown = null;
      for (int i = 0; i < 1000 && shown == null; i++) {
        Thread.sleep(10);
        shown = loader.peek();
      }
      float[] features = shown.features().clone();
      assertSame(shown, loader.next());
      assertArrayEquals(features, shown.features());
    }
  }

  @Test
  void badRecordingReachesTheCallerWithItsFile() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
    Path file = corpus.utterance("s1-1").file();
    Files.write(file, new byte[0]);
    Batches batches = new Batches(corpus, reader, raw(4, 20));
    try (BatchLoader loader = new BatchLoader(batches, 0, 0, 2, 2)) {
      String message = refused(loader::next);
      assertTrue(message.startsWith(file + ": "), message);
      assertThrows(IllegalStateException.class, loader::next);
    }
  }

  @Test
  void closingStopsTheThreadsAndInterruptStopsTheWait() throws Exception {
    Corpus corpus = corpus(2, 4);
    FeatureSource slow =
        new FeatureSource() {
          @Override
          public int bins() {
            return 3;
          }

          @Override
          public List<Double> speeds() {
            return List.of(1.0);
          }

          @Override
          public FeatureView features(Utterance utterance, int speed) {
            try {
              Thread.sleep(60_000);
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
              throw new IllegalStateException("stopped", e);
            }
            throw new AssertionError("slept through");
          }
        };
    long start = System.nanoTime();
    BatchLoader loader = new BatchLoader(new Batches(corpus, slow, raw(2, 5)), 0, 0, 2, 2);
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, loader::next);
    loader.close();
    loader.close();
    while (works()) {
      assertTrue(System.nanoTime() - start < 30_000_000_000L, "threads end");
      Thread.sleep(10);
    }
  }

  private static boolean works() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().equals("slimvox-data"));
  }
}
