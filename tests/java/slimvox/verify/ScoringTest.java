package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.refused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import slimvox.storage.Safetensors;

class ScoringTest {
  private static final Path DATA = Path.of("tests/data/verify");

  private final Safetensors known = Safetensors.read(DATA.resolve("scoring.safetensors"));

  private Embeddings embeddings(String tensor, String prefix) {
    int rows = (int) known.shape(tensor)[0];
    int columns = (int) known.shape(tensor)[1];
    double[] values = known.doubles(tensor);
    Embeddings embeddings = new Embeddings(columns);
    for (int r = 0; r < rows; r++) {
      float[] vector = new float[columns];
      for (int c = 0; c < columns; c++) vector[c] = (float) values[r * columns + c];
      embeddings.add(prefix + r, vector);
    }
    return embeddings;
  }

  private Trials trials() {
    long[] pairs = known.longs("pairs");
    Trials.Builder builder = Trials.builder("pairs");
    for (int i = 0; i < pairs.length; i += 2) {
      builder.add("u" + pairs[i], "u" + pairs[i + 1], pairs[i] == pairs[i + 1]);
    }
    return builder.build();
  }

  private void assertKnown(String tensor, Scores scores, double tolerance) {
    double[] expected = known.doubles(tensor);
    assertEquals(expected.length, scores.size());
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], scores.get(i), tolerance * Math.max(1, Math.abs(expected[i])));
    }
  }

  @Test
  void cosinesAreThoseOfScikitLearn() {
    Embeddings embeddings = embeddings("embeddings", "u");
    assertKnown("cosine_without_mean", CosineScoring.plain().score(trials(), embeddings), 2e-7);
    Scores centred = CosineScoring.subtracting(known.doubles("mean")).score(trials(), embeddings);
    assertKnown("cosine_after_mean_subtraction", centred, 2e-7);
    assertEquals("cosine after mean subtraction", centred.source());
  }

  @Test
  void normalisedScoresAreThoseOfTheFormula() {
    CosineScoring cosine = CosineScoring.subtracting(known.doubles("mean"));
    Embeddings cohort = embeddings("cohort", "c");
    List<String> names =
        known.names().stream().filter(n -> n.matches("asnorm[.]top\\d+[.]ddof0")).toList();
    assertEquals(2, names.size());
    for (String name : names) {
      int top = Integer.parseInt(name.replaceAll("asnorm.top|.ddof0", ""));
      Scores scores =
          new AdaptiveSNorm(cosine, cohort, top).score(trials(), embeddings("embeddings", "u"));
      assertKnown(name, scores, 1e-5);
    }
  }

  @Test
  void handExampleOfNormalisationComesOut() throws IOException {
    JsonNode example =
        new ObjectMapper()
            .readTree(DATA.resolve("metrics.json").toFile())
            .get("asnorm_hand_example");
    Embeddings sides = new Embeddings(3);
    sides.add("e", floats(example.get("enroll")));
    sides.add("t", floats(example.get("test")));
    Embeddings cohort = new Embeddings(3);
    for (JsonNode row : example.get("cohort")) cohort.add("c" + cohort.size(), floats(row));
    Trials trial = Trials.builder("hand").add("e", "t", true).build();
    assertEquals(0.8, CosineScoring.plain().score(trial, sides).get(0), 1e-7);
    for (int top : new int[] {2, 4}) {
      Scores scores = new AdaptiveSNorm(CosineScoring.plain(), cohort, top).score(trial, sides);
      assertEquals(
          example.get("asnorm").get("top" + top + "_ddof0").asDouble(), scores.get(0), 1e-5);
      assertEquals("AS-norm (nearest " + top + " of 4) of cosine", scores.source());
    }
  }

  private static float[] floats(JsonNode array) {
    float[] values = new float[array.size()];
    for (int i = 0; i < values.length; i++) values[i] = (float) array.get(i).asDouble();
    return values;
  }

  @Test
  void everyDimensionIsScoredWhateverTheVectorLength() {
    Random random = new Random(2);
    for (int dimension : new int[] {1, 3, 16, 31, 32, 33, 100, 256}) {
      Embeddings embeddings = new Embeddings(dimension);
      Embeddings cohort = new Embeddings(dimension);
      for (int i = 0; i < 6; i++) {
        embeddings.add("u" + i, gaussian(random, dimension));
        cohort.add("c" + i, gaussian(random, dimension));
      }
      Trials trials = Trials.builder("two").add("u0", "u1", true).add("u2", "u0", false).build();
      Scores scores = CosineScoring.plain().score(trials, embeddings);
      for (int i = 0; i < 2; i++) {
        assertEquals(
            cosine(embeddings.get(trials.enrol(i)), embeddings.get(trials.test(i))),
            scores.get(i),
            1e-6);
      }
      if (dimension < 3) continue; // all cosines are 1 or -1: no spread in a cohort
      Scores normalised =
          new AdaptiveSNorm(CosineScoring.plain(), cohort, 3).score(trials, embeddings);
      double expected = 0;
      for (String side : List.of("u0", "u1")) {
        double[] nearest = new double[6];
        for (int c = 0; c < 6; c++) nearest[c] = -cosine(embeddings.get(side), cohort.get(c));
        Arrays.sort(nearest);
        double mean = -(nearest[0] + nearest[1] + nearest[2]) / 3;
        double variance = 0;
        for (int c = 0; c < 3; c++) variance += Math.pow(-nearest[c] - mean, 2) / 3;
        expected +=
            0.5 * (cosine(embeddings.get("u0"), embeddings.get("u1")) - mean) / Math.sqrt(variance);
      }
      assertEquals(expected, normalised.get(0), 1e-4 * Math.max(1, Math.abs(expected)));
    }
  }

  private static float[] gaussian(Random random, int dimension) {
    float[] vector = new float[dimension];
    for (int i = 0; i < dimension; i++) vector[i] = (float) random.nextGaussian();
    return vector;
  }

  private static double cosine(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }

  @Test
  void meansAreTakenOverAllAndBySpeaker() {
    Embeddings embeddings = new Embeddings(2);
    embeddings.add("a1", new float[] {1, 0});
    embeddings.add("a2", new float[] {3, 0});
    embeddings.add("b1", new float[] {2, 9});
    assertArrayEquals(new double[] {2, 3}, embeddings.mean());
    Embeddings speakers = embeddings.speakerMeans(Map.of("a1", "a", "a2", "a", "b1", "b")::get);
    assertEquals(List.of("a", "b"), speakers.utterances());
    assertArrayEquals(new float[] {2, 0}, speakers.get("a"));
    assertArrayEquals(new float[] {2, 9}, speakers.get("b"));
    assertEquals(
        "utterance 'b1' has no speaker; add it to utt2spk",
        message(() -> embeddings.speakerMeans(Map.of("a1", "a", "a2", "a")::get)));
  }

  @Test
  void badEmbeddingsAreRefused() {
    Embeddings embeddings = new Embeddings(2);
    embeddings.add("a", new float[] {1, 2});
    assertEquals(
        "utterance 'a' is embedded twice; names must be unique",
        message(() -> embeddings.add("a", new float[] {1, 2})));
    assertEquals(
        "embedding of 'b' has 3 values, the others 2; embed all with one model",
        message(() -> embeddings.add("b", new float[3])));
    assertEquals(
        "embedding of 'b' has NaN at index 1; check the utterance and the model's weights",
        message(() -> embeddings.add("b", new float[] {0, Float.NaN})));
    assertEquals(
        "utterance 'z' has no embedding (1 others have); embed it, or take it out",
        message(() -> embeddings.get("z")));
    assertEquals("mean of no embeddings; add some", message(() -> new Embeddings(2).mean()));
    assertEquals(1, embeddings.size());
  }

  @Test
  void trialsThatCannotBeScoredAreNamed() {
    Embeddings embeddings = new Embeddings(2);
    embeddings.add("a", new float[] {1, 2});
    embeddings.add("b", new float[] {0, 0});
    Trials unknown = Trials.builder("list").add("a", "a", true).add("a", "x", false).build();
    assertEquals(
        "list:2: utterance 'x' is not among the 2 embedded ones; embed it, or take the trial out",
        message(() -> CosineScoring.plain().score(unknown, embeddings)));
    Trials zero = Trials.builder("list").add("a", "b", true).build();
    assertEquals(
        "embedding of 'b' is zero: it has no direction; check the utterance",
        message(() -> CosineScoring.plain().score(zero, embeddings)));
    assertEquals(
        "embedding of 'a' is zero after subtracting the mean:"
            + " it has no direction; check the utterance",
        message(() -> CosineScoring.subtracting(new double[] {1, 2}).score(zero, embeddings)));
    assertEquals(
        "the mean to subtract has 3 values, the embeddings 2; use one model for both",
        message(() -> CosineScoring.subtracting(new double[3]).score(zero, embeddings)));
  }

  @Test
  void listsMayNameFilesAndEmbeddingsIds() {
    Embeddings embeddings = new Embeddings(2);
    embeddings.add("id1-x-1", new float[] {1, 0});
    embeddings.add("jose\u0301-y-1", new float[] {1, 1});
    Trials list =
        Trials.builder("veri_test.txt")
            .add("id1/x/1.wav", "jos\u00e9/y/1.wav", false)
            .add("./id1/x/1.wav", "id1\\x\\1.wav", true)
            .build();
    Scores scores = CosineScoring.plain().score(list, embeddings);
    assertEquals(Math.sqrt(0.5), scores.get(0), 1e-7);
    assertEquals(1, scores.get(1), 1e-7);
    Trials both =
        Trials.builder("both")
            .add("id1-x-1", "jose\u0301-y-1", true)
            .add("id1/x/1.wav", "jos\u00e9/y/1.wav", false)
            .build();
    assertEquals(
        "both:2: trial 'id1/x/1.wav jos\u00e9/y/1.wav' is nontarget here but target on line 1;"
            + " remove one of them",
        message(() -> CosineScoring.plain().score(both, embeddings)));
    embeddings.add("id1/x/1", new float[] {0, 1});
    assertTrue(
        message(() -> CosineScoring.plain().score(list, embeddings))
            .startsWith("veri_test.txt:1: utterance 'id1/x/1.wav' can be 'id1"));
  }

  @Test
  void unusableCohortsAreRefused() {
    Embeddings cohort = new Embeddings(2);
    for (int i = 0; i < 3; i++) cohort.add("c" + i, new float[] {1, 1});
    CosineScoring plain = CosineScoring.plain();
    for (int top : new int[] {1, 4}) {
      assertEquals(
          "AS-norm with the nearest "
              + top
              + " of a cohort of 3; take at least 2 and at most the cohort (--top)",
          message(() -> new AdaptiveSNorm(plain, cohort, top)));
    }
    Embeddings sides = new Embeddings(2);
    sides.add("a", new float[] {1, 2});
    Trials trial = Trials.builder("list").add("a", "a", true).build();
    assertEquals(
        "utterance 'a' is equally near to its 3 nearest cohort members (deviation 0.0e+00, rounding"
            + " of a cosine 1e-07); take a larger cohort, of different speakers",
        message(() -> new AdaptiveSNorm(plain, cohort, 3).score(trial, sides)));
    Random random = new Random(5);
    for (double apart : new double[] {1e-7, 1e-6, 5e-6}) { // copies but for rounding
      Embeddings copies = new Embeddings(2);
      for (int i = 0; i < 5; i++) {
        copies.add("c" + i, new float[] {1, (float) (1 + apart * random.nextGaussian())});
      }
      String message = message(() -> new AdaptiveSNorm(plain, copies, 5).score(trial, sides));
      assertTrue(message.startsWith("utterance 'a' is equally near to its 5 nearest"), message);
    }
    Embeddings other = new Embeddings(3);
    other.add("a", new float[] {1, 2, 3});
    assertEquals(
        "the cohort's embeddings have 2 values, the trials' 3; use one model for both",
        message(() -> new AdaptiveSNorm(plain, cohort, 3).score(trial, other)));
    assertTrue(sides.contains("a"));
  }

  private static String message(org.junit.jupiter.api.function.Executable run) {
    return refused(run);
  }
}
