package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Channel;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.Waveform;

class WholeUtterancesTest {
  @TempDir Path folder;

  private Corpus corpus() throws Exception {
    SyntheticCorpus.write(folder, 2, 3);
    Files.writeString(folder.resolve("joined2utt"), "s1-joined s1-2 s1-0\n");
    return Corpus.open(folder);
  }

  @Test
  void joinedUtteranceIsItsPartsInOrder() throws Exception {
    Corpus corpus = corpus();
    FeatureSource reader = SyntheticCorpus.reader(corpus, 1.0);
    WholeUtterances raw = new WholeUtterances(corpus, reader, false);
    Features joined = raw.features("s1-joined");
    Features first = raw.features("s1-2");
    Features second = raw.features("s1-0");
    assertEquals(first.frames() + second.frames(), joined.frames());
    for (int b = 0; b < 20; b++) {
      assertEquals(first.get(3, b), joined.get(3, b));
      assertEquals(second.get(5, b), joined.get(first.frames() + 5, b));
    }
    Features normalized = new WholeUtterances(corpus, reader, true).features("s1-joined");
    for (int b = 0; b < 20; b++) {
      double mean = 0;
      double rawMean = 0;
      for (int t = 0; t < joined.frames(); t++) {
        mean += normalized.get(t, b) / joined.frames();
        rawMean += joined.get(t, b) / joined.frames();
      }
      assertEquals(0, mean, 1e-5);
      assertEquals(joined.get(7, b) - rawMean, normalized.get(7, b), 1e-4);
    }
  }

  @Test
  void aJoinedUtteranceIsBehindOneChannelThatFollowsFromItsId() throws Exception {
    Corpus corpus = corpus();
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
    float[] first = reader.sound(corpus.utterance("s1-2"));
    float[] second = reader.sound(corpus.utterance("s1-0"));
    float[] said = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, said, first.length, second.length);
    float[] behind = Channel.of("s1-joined").apply(said);
    Fbank fbank = new Fbank(FbankOptions.wespeaker().withBins(20));
    float[] tail = Arrays.copyOfRange(behind, first.length, behind.length);
    Features expected = fbank.compute(new Waveform(tail, 16000), "x");
    for (FeatureSource source : List.of(reader, new FeatureMemory(reader))) {
      WholeUtterances raw = new WholeUtterances(corpus, source, false);
      Features features = raw.features("s1-joined@channel");
      assertEquals(raw.features("s1-joined").frames(), features.frames());
      int skipped = features.values().length - expected.values().length;
      assertArrayEquals(
          expected.values(),
          Arrays.copyOfRange(features.values(), skipped, features.values().length));
      assertArrayEquals(
          raw.features("s1-0@channel").values(), raw.features("s1/0.wav@channel").values());
    }
    assertTrue(corpus.has("s1-0@channel"));
    assertFalse(corpus.has("s1-9@channel"));
    assertEquals("s1", corpus.speakerOf("s1-joined@channel"));
  }

  @Test
  void eachIdIsVisitedOnceAndUnknownOnesAreNamed() throws Exception {
    Corpus corpus = corpus();
    WholeUtterances whole = new WholeUtterances(corpus, SyntheticCorpus.reader(corpus, 1.0), true);
    List<String> visited = new ArrayList<>();
    whole.forEach(List.of("s1-0", "s0-1", "s1-0", "s1-joined"), (id, features) -> visited.add(id));
    assertEquals(List.of("s1-0", "s0-1", "s1-joined"), visited);
    assertRefused(
        folder + ": has no utterance s1-9; the nearest are s1-0, s1-1, s1-2",
        () -> whole.features("s1-9"));
  }

  @Test
  void networkLayoutHasAllFramesOfABinTogether() {
    float[] out = new float[8];
    Batch.transpose(new Features(new float[] {1, 2, 3, 4, 5, 6}, 3, 2), out, 1);
    assertArrayEquals(new float[] {0, 1, 3, 5, 2, 4, 6, 0}, out);
  }
}
