package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.refused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FbankOptions;
import slimvox.audio.FlacEncoder;
import slimvox.audio.ReadSettings;
import slimvox.audio.SpecAugment;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** Batches whose features are computed from sound, each example perhaps behind a channel. */
class SoundBatchesTest {
  private static final int SIZE = 6;

  @TempDir Path folder;
  private Corpus corpus;
  private FeatureReader reader;

  @BeforeEach
  void sound() throws Exception {
    corpus = SyntheticCorpus.write(folder, 4, 5);
    FbankOptions options = FbankOptions.wespeaker().withBins(20).averaging(2);
    reader = FeatureReader.of(corpus, options, List.of(1.0, 0.9));
  }

  private static BatchSettings settings(double probability) {
    var channels = ChannelSettings.usual(probability);
    return new BatchSettings(SIZE, 25, 2, true, SpecAugment.NONE, 3, null, channels, 0, false);
  }

  private Batches batches(double probability) {
    return new Batches(corpus, new SoundSource(reader, true), settings(probability));
  }

  private static float[] example(Batch batch, int i) {
    int size = batch.features().length / SIZE;
    return Arrays.copyOfRange(batch.features(), i * size, (i + 1) * size);
  }

  @Test
  void withoutAChannelTheyAreThoseOfFeatures() throws Exception {
    Batches expected = new Batches(corpus, reader, settings(0));
    for (boolean keeps : new boolean[] {true, false}) {
      SoundSource sounds =
          new SoundSource(reader, keeps).load(corpus, 2, FeatureSource.Progress.NONE);
      Batches batches = new Batches(corpus, sounds, settings(0));
      for (int i = 0; i < batches.batchesPerEpoch(); i++) {
        assertArrayEquals(expected.batch(1, i).features(), batches.batch(1, i).features());
        assertArrayEquals(expected.batch(1, i).labels(), batches.batch(1, i).labels());
      }
    }
  }

  /** A part of a FLAC file, a WAV file of 8 kHz and one of floats, at two speeds. */
  @Test
  void streamedExamplesAreThoseOfWholeRecordings() throws Exception {
    var random = new SplittableRandom(8);
    float[] low = new float[4000];
    int[] values = new int[9000];
    for (int i = 0; i < low.length; i++) low[i] = (float) random.nextGaussian(0, 0.1);
    for (int i = 0; i < values.length; i++) values[i] = (int) random.nextGaussian(0, 3000);
    WavWriter.writePcm16(folder.resolve("low.wav"), new Waveform(low, 8000));
    WavWriter.writeFloat32(folder.resolve("float.wav"), new Waveform(low, 16000));
    Files.write(folder.resolve("f.flac"), new FlacEncoder(random, 16).encode(values, 192));
    Files.writeString(folder.resolve("wav.scp"), "low low.wav\nfloat float.wav\nf f.flac\n");
    String segments = "a low 0.05 0.4\nb f 0.11 0.50\nc float 0 -1\nd f 0 0.56\n";
    Files.writeString(folder.resolve("segments"), segments);
    Files.writeString(folder.resolve("utt2spk"), "a x\nb y\nc x\nd y\n");
    Corpus cut = Corpus.open(folder).reading(new ReadSettings(true, 1));
    FbankOptions options = FbankOptions.wespeaker().withBins(20);
    FeatureReader features = FeatureReader.of(cut, options, List.of(1.0, 0.9, 1.1));
    BatchSettings settings = SyntheticCorpus.settings(SIZE, 15, 1, true, SpecAugment.NONE, 3);
    Batches whole = new Batches(cut, features, settings);
    Batches streamed = new Batches(cut, new SoundSource(features, false), settings);
    for (int epoch = 0; epoch < 10; epoch++) {
      assertArrayEquals(whole.batch(epoch, 0).features(), streamed.batch(epoch, 0).features());
    }
  }

  @Test
  void aRecordingShorterThanAFrameIsNamed() throws Exception {
    Path file = folder.resolve("sound/s2-1.wav");
    WavWriter.writePcm16(file, new Waveform(new float[300], 16000));
    BatchSettings settings = SyntheticCorpus.settings(20, 25, 1, true, SpecAugment.NONE, 3);
    Batches batches = new Batches(corpus, new SoundSource(reader, false), settings);
    String message = refused(() -> batches.batch(0, 0));
    assertTrue(message.startsWith(file + ": 3"), message);
    assertTrue(message.endsWith("leave the utterance out (utterance s2-1)"), message);
  }

  @Test
  void aShareOfTheExamplesIsBehindChannelsAndTheRestIsAsItWas() {
    Batches clean = batches(0);
    Batches half = batches(0.5);
    Batches all = batches(1);
    int behind = 0;
    int examples = 0;
    for (int epoch = 0; epoch < 10; epoch++) {
      for (int index = 0; index < clean.batchesPerEpoch(); index++) {
        Batch a = clean.batch(epoch, index);
        Batch b = half.batch(epoch, index);
        Batch c = all.batch(epoch, index);
        assertArrayEquals(a.utterances(), b.utterances());
        assertArrayEquals(a.labels(), c.labels());
        for (int i = 0; i < SIZE; i++, examples++) {
          float[] heard = example(b, i);
          assertFalse(Arrays.equals(example(a, i), example(c, i)));
          if (Arrays.equals(example(a, i), heard)) continue;
          assertArrayEquals(example(c, i), heard, "the channel of a place is the same");
          behind++;
        }
      }
    }
    double share = behind / (double) examples;
    assertEquals(0.5, share, 0.15, behind + " of " + examples);
  }

  @Test
  void channelsAreTheSameWithAnyNumberOfThreadsAndFromAnyPlace() throws Exception {
    Batches batches = batches(0.7);
    for (int threads = 1; threads <= 5; threads += 2) {
      try (BatchLoader loader = new BatchLoader(batches(0.7), 2, 1, threads, threads + 1)) {
        for (int k = 1; k < 7; k++) {
          Batch expected = batches.batch(2 + k / 3, k % 3);
          assertArrayEquals(expected.features(), loader.next().features());
        }
      }
    }
  }

  @Test
  void featuresAloneHaveNoChannels() {
    assertThrows(IllegalArgumentException.class, () -> new Batches(corpus, reader, settings(0.1)));
  }

  @Test
  void balancedOverClassesEachSpeakerComesEquallyOftenAndEachOfItsRecordings() throws Exception {
    List<String> some = List.of("s0-1", "s0-2", "s0-3", "s0-4", "s1-1", "s1-2", "s1-3");
    Corpus uneven = corpus.without(some); // one, two, five and five recordings
    BatchSettings balanced =
        new BatchSettings(
            5, 25, 1, true, SpecAugment.NONE, 3, null, ChannelSettings.usual(0), 0, true);
    FeatureSource features = new FeatureMemory(reader);
    Batches batches = new Batches(uneven, features, balanced);
    Map<String, Integer> times = new HashMap<>();
    int[] speakers = new int[4];
    int examples = 4 * 2 * 5 * 5; // whole turns of each speaker's recordings, whole batches
    for (int k = 0; k < examples / 5; k++) {
      Batch batch = batches.batch(k / batches.batchesPerEpoch(), k % batches.batchesPerEpoch());
      for (String utterance : batch.utterances()) {
        times.merge(utterance, 1, Integer::sum);
        speakers[uneven.label(uneven.utterance(utterance).speaker())]++;
      }
    }
    assertArrayEquals(new int[] {50, 50, 50, 50}, speakers);
    assertEquals(50, times.get("s0-0"));
    assertEquals(25, times.get("s1-0"));
    assertEquals(25, times.get("s1-4"));
    for (int u = 0; u < 5; u++) assertEquals(10, times.get("s3-" + u), "s3-" + u);
    assertTrue(batches.batchesPerEpoch() == 3, "13 recordings in batches of 5");
    Batch again = new Batches(uneven, features, balanced).batch(3, 1);
    assertArrayEquals(batches.batch(3, 1).utterances(), again.utterances());
  }
}
