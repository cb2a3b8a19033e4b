package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Augmentation;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FbankOptions;
import slimvox.audio.SpecAugment;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** Noises of constant amplitude by kind, so that what was added can be told by its level. */
class SurroundingsTest {
  @TempDir Path folder;
  private Path noises;
  private Path rooms;

  @BeforeEach
  void write() throws Exception {
    noises = folder.resolve("noise.scp");
    rooms = folder.resolve("rirs.scp");
    StringBuilder list = new StringBuilder();
    for (String kind : List.of("noise", "speech", "music")) {
      for (int i = 0; i < 2; i++) {
        float[] samples = new float[3000 + 4000 * i];
        var random = new SplittableRandom(kind.hashCode() + i);
        for (int t = 0; t < samples.length; t++) samples[t] = random.nextBoolean() ? 0.1f : -0.1f;
        wav(kind + i, samples);
        list.append("%s/%d %s.wav%n".formatted(kind, i, kind + i));
      }
    }
    Files.writeString(noises, list);
    wav("echo", new float[] {0, 0, 0.5f});
    Files.writeString(rooms, "echo echo.wav\n");
  }

  private Path wav(String name, float... samples) throws Exception {
    Path file = folder.resolve(name + ".wav");
    WavWriter.writeFloat32(file, new Waveform(samples, 16000));
    return file;
  }

  private static float[] speech() {
    float[] speech = new float[5000];
    for (int i = 0; i < speech.length; i++) speech[i] = (float) (0.5 * Math.sin(0.05 * i));
    return speech;
  }

  private Surroundings of(Path noiseList, Path roomList, double probability, int speakers) {
    return new Surroundings(
        new SurroundingsSettings(
            noiseList == null ? null : noiseList.toString(),
            roomList == null ? null : roomList.toString(),
            probability,
            List.of(0.0, 1.0),
            List.of(20.0, 21.0),
            List.of(40.0, 41.0),
            speakers));
  }

  /** How far below the speech is what was added; infinite: nothing, as in a room. */
  private static double snrDb(float[] heard) {
    float[] speech = speech();
    double ss = 0;
    double hs = 0;
    for (int i = 0; i < speech.length; i++) {
      ss += speech[i] * speech[i];
      hs += heard[i] * speech[i];
    }
    double rest = 0;
    double scale = hs / ss;
    for (int i = 0; i < speech.length; i++) rest += Math.pow(heard[i] / scale - speech[i], 2);
    return 10 * Math.log10(ss / rest);
  }

  @Test
  void eachKindHasItsLevelAndEachFileItsChance() {
    Surroundings noisy = of(noises, null, 1, 1);
    int[] kinds = new int[3];
    for (int i = 0; i < 600; i++) {
      double snr = snrDb(noisy.heard(speech(), new SplittableRandom(i)));
      int kind = (int) Math.round((snr - 0.5) / 20);
      assertEquals(20 * kind + 0.5, snr, 1); // noise and speech are not quite orthogonal
      kinds[kind]++;
    }
    for (int count : kinds) assertEquals(200, count, 40, Arrays.toString(kinds));
  }

  @Test
  void halfOfTheShareIsInRooms() {
    Surroundings both = of(noises, rooms, 0.6, 1);
    int asItWas = 0;
    int inRoom = 0;
    for (int i = 0; i < 1000; i++) {
      float[] speech = speech();
      float[] heard = both.heard(speech, new SplittableRandom(i));
      if (heard == speech) asItWas++;
      else if (Math.abs(heard[0]) + Math.abs(heard[1]) < 1e-4)
        inRoom++; // the echo comes two samples later
    }
    assertEquals(400, asItWas, 60);
    assertEquals(300, inRoom, 60);
    float[] room = of(null, rooms, 1, 1).heard(speech(), new SplittableRandom(1));
    float peak = 0.5f;
    for (int i = 2; i < 5000; i++) assertEquals(speech()[i - 2] / peak, room[i], 1e-3);
  }

  /** Of several speakers at once the level is that of their sum. */
  @Test
  void babbleIsSeveralSpeakersAtTheLevelOfSpeech() throws Exception {
    Files.writeString(noises, "speech/0 speech0.wav\nspeech/1 speech1.wav\n");
    Surroundings babble = of(noises, null, 1, 4);
    int varied = 0;
    for (int i = 0; i < 200; i++) {
      float[] heard = babble.heard(speech(), new SplittableRandom(i));
      assertEquals(20.5, snrDb(heard), 0.7);
      float[] one = of(noises, null, 1, 1).heard(speech(), new SplittableRandom(i));
      if (!Arrays.equals(one, heard)) varied++;
    }
    assertTrue(varied > 120, varied + " of 200 have more than one speaker, or another");
  }

  @Test
  void anExampleFollowsFromItsPlaceAlone() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder.resolve("corpus"), 3, 4);
    FbankOptions dithered = FbankOptions.wespeaker().withBins(20).dithered(1);
    FeatureReader reader = FeatureReader.of(corpus, dithered, List.of(1.0, 0.9));
    BatchSettings settings =
        new BatchSettings(
            4,
            20,
            1,
            true,
            SpecAugment.NONE,
            3,
            of(noises, rooms, 0.6, 3),
            ChannelSettings.usual(0),
            0,
            false);
    Batches batches = new Batches(corpus, new SoundSource(reader, false), settings);
    Batches kept = new Batches(corpus, new SoundSource(reader, true), settings);
    for (int threads = 1; threads <= 3; threads += 2) {
      try (BatchLoader loader = new BatchLoader(kept, 1, 1, threads, threads + 1)) {
        for (int k = 1; k < 7; k++) {
          Batch expected = batches.batch(1 + k / 3, k % 3);
          assertArrayEquals(expected.features(), loader.next().features());
        }
      }
    }
    // Dither is new each time the same utterance comes.
    assertTrue(!Arrays.equals(batches.batch(0, 0).features(), batches.batch(3, 0).features()));
  }

  @Test
  void listsThatCannotBeUsedAreRefusedByLine() throws Exception {
    Path slow = folder.resolve("slow.wav");
    WavWriter.writePcm16(slow, new Waveform(new float[800], 8000));
    Path cut = wav("cut", 0.1f, 0.2f, 0.3f);
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(cut), 50));
    Map<String, String> faults =
        Map.of(
            "noise/a missing.wav", folder.resolve("missing.wav") + ": no such file; check",
            "noise/b slow.wav", slow + ": 8000 Hz where 16000 Hz is expected; convert it",
            "noise/c cut.wav", cut + ": cut short at byte 50",
            "rain/d noise0.wav", "rain/d is of no kind; a name starts with noise, speech or music");
    for (var fault : faults.entrySet()) {
      Files.writeString(noises, "noise/0 noise0.wav\n" + fault.getKey() + "\n");
      String message = refused(() -> of(noises, null, 1, 1));
      assertTrue(message.startsWith(noises + ", line 2: " + fault.getValue()), message);
    }
    Files.writeString(rooms, "\n");
    assertRefused(rooms + ": empty; a line is NAME PATH", () -> of(null, rooms, 1, 1));
  }

  @Test
  void silenceIsFoundWhenItIsHeard() throws Exception {
    Path silent = wav("silent", new float[9000]);
    Files.writeString(noises, "noise/0 silent.wav\n");
    Files.writeString(rooms, "room silent.wav\n");
    String message = silent + ": silent; leave it out of the list";
    assertRefused(message, () -> of(noises, null, 1, 1).heard(speech(), new SplittableRandom(1)));
    assertRefused(message, () -> of(null, rooms, 1, 1).heard(speech(), new SplittableRandom(1)));
    // Silence somewhere in a noise is none.
    float[] partly = new float[9000];
    partly[8999] = 0.1f;
    wav("silent", partly);
    float[] heard = of(noises, null, 1, 1).heard(speech(), new SplittableRandom(1));
    assertEquals(1, Augmentation.levelDb(heard) > -10 ? 1 : 0);
  }
}
