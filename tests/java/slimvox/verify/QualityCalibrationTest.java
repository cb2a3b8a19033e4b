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
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Against gen_calibration.py: PyTorch's optimizer, scikit-learn's isotonic regression. */
class QualityCalibrationTest {
  private final JsonNode known;
  private final int ofSpeaker;

  QualityCalibrationTest() throws IOException {
    known = new ObjectMapper().readTree(Path.of("tests/data/verify/calibration.json").toFile());
    ofSpeaker = known.get("utterances_of_a_speaker").asInt();
  }

  private static double[] doubles(JsonNode node) {
    return IntStream.range(0, node.size()).mapToDouble(i -> node.get(i).asDouble()).toArray();
  }

  private static Embeddings embeddings(JsonNode rows, String prefix) {
    Embeddings embeddings = new Embeddings(rows.get(0).size());
    for (int r = 0; r < rows.size(); r++) {
      float[] vector = new float[embeddings.dimension()];
      for (int i = 0; i < vector.length; i++) vector[i] = (float) rows.get(r).get(i).asDouble();
      embeddings.add(prefix + r, vector);
    }
    return embeddings;
  }

  /** All pairs of the utterances from one to another. */
  private Trials pairs(int from, int to) {
    Trials.Builder builder = Trials.builder("utterances from " + from);
    for (int a = from; a < to; a++) {
      for (int b = a + 1; b < to; b++) {
        builder.add("u" + a, "u" + b, a / ofSpeaker == b / ofSpeaker);
      }
    }
    return builder.build();
  }

  private QualityMeasures measures(Trials trials) {
    double[] seconds = doubles(known.get("seconds"));
    CosineScoring cosine = CosineScoring.subtracting(doubles(known.get("mean")));
    Embeddings cohort = embeddings(known.get("cohort"), "c");
    return QualityMeasures.of(
        new AdaptiveSNorm(cosine, cohort, known.get("top").asInt()),
        trials,
        embeddings(known.get("embeddings"), "u"),
        name -> seconds[Integer.parseInt(name.substring(1))]);
  }

  private static QualityMeasures only(QualityMeasures all, JsonNode chosen) {
    double[][] values = new double[all.values().length][chosen.size()];
    for (int t = 0; t < values.length; t++) {
      for (int i = 0; i < values[t].length; i++) {
        values[t][i] = all.values()[t][chosen.get(i).asInt()];
      }
    }
    return new QualityMeasures(all.scores(), values);
  }

  @Test
  void measuresAreThoseOfTheFormulae() {
    double[][] values = measures(pairs(36, 72)).values();
    JsonNode rows = known.get("first_measures");
    assertEquals(20, rows.size());
    // Cosines with the cohort are float32 here.
    for (int i = 0; i < 20; i++) assertArrayEquals(doubles(rows.get(i)), values[i], 3e-5);
  }

  @Test
  void calibrationIsThatOfWespeakerAsFarAsItsOwnIsDetermined() {
    QualityMeasures train = measures(pairs(0, 36));
    QualityMeasures test = measures(pairs(36, 72));
    assertEquals(3, known.get("calibrations").size());
    for (JsonNode answer : known.get("calibrations")) {
      JsonNode chosen = answer.get("measures");
      QualityCalibration found = QualityCalibration.train(only(train, chosen));
      Scores scores = found.calibrated(only(test, chosen));
      boolean determined = answer.get("spread").asDouble() < 1e-9;
      assertEquals(chosen.size() == 1, determined);
      double cllr = answer.get("cllr").asDouble();
      assertEquals(cllr, Cllr.of(scores).value(), determined ? 1e-5 : 0.01);
      if (!determined) continue;
      assertArrayEquals(doubles(answer.get("scores")), scores.values(), 1e-5);
      assertArrayEquals(doubles(answer.get("weights")), found.weights(), 1e-5);
    }
  }

  @Test
  void leastCostIsThatOfIsotonicRegression() {
    Trials trials = pairs(36, 72);
    for (JsonNode answer : known.get("calibrations")) {
      double[] scores = doubles(answer.get("scores"));
      Cllr cllr = Cllr.of(new Scores("known", trials, scores));
      assertEquals(answer.get("cllr").asDouble(), cllr.value(), 1e-12);
      assertEquals(answer.get("min_cllr").asDouble(), cllr.least(), 1e-12);
      double[] tied = Arrays.stream(scores).map(s -> Math.rint(s * 10) / 10).toArray();
      double least = Cllr.of(new Scores("tied", trials, tied)).least();
      assertEquals(answer.get("min_cllr_of_one_decimal").asDouble(), least, 1e-12);
    }
  }

  @Test
  void costHasItsLimits() {
    Trials trials = Trials.builder("three").add("a", "b", true).add("a", "c", false).build();
    assertEquals(1, Cllr.of(new Scores("nothing", trials, new double[2])).value());
    Cllr sure = Cllr.of(new Scores("right", trials, new double[] {1000, -1000}));
    assertEquals(0, sure.value());
    assertEquals(0, sure.least());
    Cllr wrong = Cllr.of(new Scores("wrong", trials, new double[] {-1000, 1000}));
    assertEquals(1000 / Math.log(2), wrong.value(), 1e-9);
    assertEquals(1, wrong.least(), 1e-15);
  }

  @Test
  void measureThatIsNoNumberIsRefused() {
    Trials trials = pairs(0, 12);
    AdaptiveSNorm norm =
        new AdaptiveSNorm(CosineScoring.plain(), embeddings(known.get("cohort"), "c"), 10);
    Embeddings embeddings = embeddings(known.get("embeddings"), "u");
    String said = refused(() -> QualityMeasures.of(norm, trials, embeddings, _ -> 0));
    assertTrue(said.startsWith("utterances from 0:1: a quality measure of 'u0 u1' is NaN"), said);
  }
}
