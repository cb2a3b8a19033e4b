package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static slimvox.Refusals.refused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import slimvox.verify.DetectionCurve.DetPoint;
import slimvox.verify.DetectionCurve.Ties;

class DetectionCurveTest {
  private static final Path KNOWN = Path.of("tests/data/verify/metrics.json");
  private static final Path VOXSRC = Path.of("../shared/data/voxsrc2021");

  private static JsonNode known() throws IOException {
    return new ObjectMapper().readTree(KNOWN.toFile());
  }

  private static DetectionCurve curve(JsonNode list) {
    int n = list.get("scores").size();
    double[] scores = new double[n];
    for (int i = 0; i < n; i++) scores[i] = list.get("scores").get(i).asDouble();
    return DetectionCurve.of(scores, i -> list.get("labels").get(i).asInt() == 1);
  }

  private static DetectionCurve curve(double[] targets, double[] nontargets) {
    double[] scores = new double[targets.length + nontargets.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = i < targets.length ? targets[i] : nontargets[i - targets.length];
    }
    return DetectionCurve.of(scores, i -> i < targets.length);
  }

  @Test
  void knownListsGiveTheRatesOfScikitLearnAndWeSpeaker() throws IOException {
    JsonNode lists = known().get("cases");
    assertEquals(6, lists.size());
    for (JsonNode list : lists) {
      DetectionCurve curve = curve(list);
      assertEquals(list.get("eer_V").asDouble(), curve.equalErrorRate().rate(), 1e-12);
      assertEquals(
          list.get("eer_W").asDouble(), curve.equalErrorRate(Ties.FILE_ORDER).rate(), 1e-12);
    }
  }

  @Test
  void knownListsGiveTheCostsOfKaldiAndOfMergedTies() throws IOException {
    for (JsonNode list : known().get("cases")) {
      DetectionCurve curve = curve(list);
      for (double p : new double[] {0.5, 0.05, 0.01}) {
        DetectionCost cost = DetectionCost.of(p);
        assertEquals(list.get("min_dcf_kaldi_" + p).asDouble(), curve.minDcf(cost).value(), 1e-12);
        assertEquals(
            list.get("min_dcf_merged_" + p).asDouble(),
            curve.minDcf(cost, Ties.MERGED).value(),
            1e-12);
      }
    }
  }

  @Test
  void voxsrc2021GivesThePublishedNumbers() throws IOException {
    assumeTrue(Files.exists(VOXSRC), "VoxSRC 2021 scores are not in " + VOXSRC);
    Trials trials = Trials.read(VOXSRC.resolve("trials.txt"));
    Scores scores = Scores.read(VOXSRC.resolve("scores.txt"), trials);
    Verification v = Verification.of(scores);
    JsonNode known = known().get("score_file");
    assertEquals(60000, v.trials());
    assertEquals(29969, v.targets());
    assertEquals("71d4bd753b9f0522ada479d832f2e6af2160a91bdda1f1465c5134e2645a2304", v.sha256());
    assertEquals(100 * known.get("eer_V").asDouble(), v.eerPercent(), 1e-10);
    assertEquals(100 * known.get("eer_W").asDouble(), v.eerWespeakerPercent(), 1e-10);
    assertEquals(known.get("min_dcf_kaldi_0.05").asDouble(), v.minDcf(), 1e-12);
    assertEquals(known.get("min_dcf_merged_0.05").asDouble(), v.minDcfMerged(), 1e-12);
    assertEquals(0.479, v.minDcfThreshold(), 1e-6);
    assertEquals(
        "EER 5.177 %, minDCF(p_target 0.05) 0.2919, 29,969 targets +"
            + " 30,031 nontargets of ../shared/data/voxsrc2021/trials.txt (sha256 71d4bd753b9f)",
        v.toString());
  }

  @Test
  void orderInsideATieMovesTheFileOrderCostOnly() {
    double[] scores = {0.6, 0.6, 0.6, 0.9, 0.4, 0.5, 0.2, 0.1, 0.1};
    DetectionCost cost = DetectionCost.VOXSRC;
    for (int nontarget : new int[] {0, 1, 2}) {
      DetectionCurve curve =
          DetectionCurve.of(scores, i -> i < 3 ? i != nontarget : i == 3 || i == 4);
      assertEquals(0.75, curve.minDcf(cost, Ties.MERGED).value(), 1e-12);
      assertEquals(new double[] {0.25, 0.5, 0.75}[nontarget], curve.minDcf(cost).value(), 1e-12);
      assertEquals(0.25, curve.equalErrorRate().rate(), 1e-12);
    }
  }

  @Test
  void minusZeroAndZeroAreTied() {
    double[] scores = {-0.0, 0, 0, -0.0};
    DetectionCurve curve = DetectionCurve.of(scores, i -> i < 2);
    assertEquals(0.5, curve.equalErrorRate().rate(), 1e-12);
    assertEquals(1, curve.minDcf(DetectionCost.of(0.5), Ties.MERGED).value(), 1e-12);
  }

  @Test
  void separatedKindsHaveNoErrorAndAThresholdBetweenThem() {
    DetectionCurve curve = curve(new double[] {.6, .7, .8, .5}, new double[] {.4, .3, .2, .1});
    assertEquals(0, curve.equalErrorRate().rate());
    assertEquals(0.5, curve.equalErrorRate().threshold(), 1e-6);
    assertEquals(0, curve.minDcf(DetectionCost.VOXSRC, Ties.MERGED).value());
    assertEquals(0.5, curve.minDcf(DetectionCost.VOXSRC, Ties.MERGED).threshold(), 1e-6);
    assertEquals(0.4, curve.minDcf(DetectionCost.VOXSRC).threshold(), 1e-6);
    assertEquals(List.of(), curve.detPoints(100));
  }

  @Test
  void invertedScoresAreWrongAlways() {
    DetectionCurve curve = curve(new double[] {.1, .2}, new double[] {.3, .4});
    assertEquals(1, curve.equalErrorRate().rate());
    assertEquals(1, curve.equalErrorRate(Ties.FILE_ORDER).rate());
    assertEquals(1, curve.minDcf(DetectionCost.VOXSRC).value(), 1e-12);
    assertEquals(
        Double.POSITIVE_INFINITY,
        curve.minDcf(DetectionCost.VOXSRC, Ties.MERGED).threshold(),
        "rejecting everything costs least");
  }

  @Test
  void oneTargetAndOneNontargetThatTieGiveHalf() {
    DetectionCurve curve = curve(new double[] {.5}, new double[] {.5});
    assertEquals(0.5, curve.equalErrorRate().rate());
    assertEquals(0.5, curve.equalErrorRate().threshold(), 1e-7);
  }

  @Test
  void unequalCostsWeighTheErrors() {
    DetectionCurve curve = curve(new double[] {.9, .4}, new double[] {.5, .1});
    // Missing the target at 0.4 costs 10 * 0.5 * 1/2, accepting the nontarget at 0.5 0.5 * 1/2.
    DetectionCost cost = new DetectionCost(0.5, 10, 1);
    assertEquals(0.5, curve.minDcf(cost, Ties.MERGED).value(), 1e-12);
    assertEquals(0.4, curve.minDcf(cost, Ties.MERGED).threshold(), 1e-6);
  }

  @Test
  void randomListsAgreeWithTheDefinitionThresholdByThreshold() {
    Random random = new Random(7);
    for (int round = 0; round < 200; round++) {
      int n = 2 + random.nextInt(60);
      double[] scores = new double[n];
      BitSet targets = new BitSet();
      for (int i = 0; i < n; i++) {
        scores[i] = (random.nextInt(25) - 12) * (round % 2 == 0 ? 0.5 : 1e-30);
        if (random.nextBoolean()) targets.set(i);
      }
      targets.set(0);
      targets.clear(1);
      DetectionCurve curve = DetectionCurve.of(scores, targets::get);
      DetectionCost cost = DetectionCost.of(0.1);
      double least = cost.normalised(1, 0);
      for (double threshold : scores) {
        least =
            Math.min(
                least,
                cost.normalised(
                    rate(scores, targets, threshold, true),
                    rate(scores, targets, threshold, false)));
      }
      assertEquals(least, curve.minDcf(cost, Ties.MERGED).value(), 1e-12);
      double eer = curve.equalErrorRate().rate();
      // No threshold has both errors below the EER, nor both above it.
      for (double threshold : scores) {
        double miss = rate(scores, targets, threshold, true);
        double falseAlarm = rate(scores, targets, threshold, false);
        assertFalse(miss < eer - 1e-12 && falseAlarm < eer - 1e-12);
        assertFalse(miss > eer + 1e-12 && falseAlarm > eer + 1e-12);
      }
    }
  }

  private static double rate(double[] scores, BitSet targets, double threshold, boolean miss) {
    int of = 0;
    int wrong = 0;
    for (int i = 0; i < scores.length; i++) {
      if (targets.get(i) != miss) continue;
      of++;
      if (miss == scores[i] < threshold) wrong++;
    }
    return wrong / (double) of;
  }

  @Test
  void orderIsThatOfDoublesAndStable() {
    Random random = new Random(3);
    double[] scores = new double[5000];
    for (int i = 0; i < scores.length; i++) {
      scores[i] =
          switch (i % 4) {
            case 0 -> Double.longBitsToDouble(random.nextLong());
            case 1 -> Float.intBitsToFloat(random.nextInt());
            case 2 -> 1 + random.nextInt(20) * 0x1p-52; // alike but for the last bits
            default -> random.nextInt(5) - 2;
          };
      if (Double.isNaN(scores[i])) scores[i] = random.nextInt(3) - 1;
    }
    scores[17] = Double.POSITIVE_INFINITY;
    scores[18] = Double.NEGATIVE_INFINITY;
    scores[19] = -0.0;
    ScoreOrder order = ScoreOrder.of(scores, i -> i % 3 == 0);
    for (int place = 0; place < order.size(); place++) {
      int trial = order.trial(place);
      assertEquals(scores[trial] + 0, order.score(place));
      assertEquals(trial % 3 == 0 ? 1 : 0, order.label(place));
      if (place == 0) continue;
      boolean tied = order.tiedWithNext(place - 1);
      assertEquals(order.score(place - 1) == order.score(place), tied);
      assertTrue(order.score(place - 1) <= order.score(place));
      if (tied) assertTrue(order.trial(place - 1) < trial);
    }
  }

  /** Rounded to float32 all of them are tied, and the EER is 50 %. */
  @Test
  void scoresThatFloatsCannotTellApartAreNotTied() {
    for (double offset : new double[] {-123456.789, 1, 1e15}) {
      double step = Math.ulp(offset);
      double[] targets = new double[20];
      double[] nontargets = new double[20];
      for (int i = 0; i < 20; i++) {
        nontargets[i] = offset + i * step;
        targets[i] = offset + (20 + i) * step;
      }
      DetectionCurve curve = curve(targets, nontargets);
      assertEquals(0, curve.equalErrorRate().rate());
      assertEquals(0, curve.equalErrorRate(Ties.FILE_ORDER).rate());
      assertEquals(0, curve.minDcf(DetectionCost.VOXSRC).value());
      assertEquals(0, curve.minDcf(DetectionCost.VOXSRC, Ties.MERGED).value());
      assertEquals(offset + 20 * step, curve.equalErrorRate().threshold(), step);
    }
  }

  @Test
  void thresholdBetweenTheLargestScoresIsANumber() {
    double largest = Double.MAX_VALUE;
    DetectionCurve curve =
        curve(new double[] {largest, -largest}, new double[] {largest, -largest});
    assertEquals(0.5, curve.equalErrorRate().rate());
    assertTrue(Double.isFinite(curve.equalErrorRate().threshold()));
  }

  @Test
  void detCurveIsThinnedAndStraightForNormalScores() {
    Random random = new Random(1);
    int n = 200_000;
    double[] scores = new double[n];
    for (int i = 0; i < n; i++) scores[i] = random.nextGaussian() + (i % 4 == 0 ? 3 : 0);
    DetectionCurve curve = DetectionCurve.of(scores, i -> i % 4 == 0);
    List<DetPoint> points = curve.detPoints(300);
    assertTrue(points.size() <= 300 && points.size() > 100, points.size() + " points");
    for (int i = 0; i < points.size(); i++) {
      DetPoint p = points.get(i);
      assertTrue(Double.isFinite(p.missDeviate()) && Double.isFinite(p.falseAlarmDeviate()));
      if (i > 0) {
        assertTrue(p.missRate() >= points.get(i - 1).missRate());
        assertTrue(p.falseAlarmRate() <= points.get(i - 1).falseAlarmRate());
      }
      // Two normal distributions three deviations apart: deviates sum to -3.
      if (p.missRate() > 0.01 && p.falseAlarmRate() > 0.01) {
        assertEquals(-3, p.missDeviate() + p.falseAlarmDeviate(), 0.05);
      }
    }
    assertEquals(DetectionCurve.probit(curve.equalErrorRate().rate()), -1.5, 0.02);
  }

  @Test
  void detCurveOfFewTrialsHasEveryPoint() {
    DetectionCurve curve =
        curve(new double[] {.9, .8, .7, .6, .3, .2}, new double[] {.65, .5, .3, .1});
    // Of the ten merged points those with both rates inside (0, 1): from 0.2 to 0.65 rejected.
    assertEquals(
        Arrays.asList(0.75, 0.5, 0.25, 0.25),
        curve.detPoints(2000).stream().map(DetPoint::falseAlarmRate).toList());
    assertEquals(2, curve.detPoints(2).size());
  }

  @Test
  void probitIsTheInverseNormalDistribution() {
    assertEquals(0, DetectionCurve.probit(0.5), 1e-12);
    assertEquals(-1.959963984540054, DetectionCurve.probit(0.025), 1e-9);
    assertEquals(-4.753424308822899, DetectionCurve.probit(1e-6), 1e-7);
  }

  @Test
  void nanAndListsOfOneKindAreRefused() {
    double[] scores = {0.5, Double.NaN, 0.1};
    assertEquals(
        "score 2 is NaN; look for NaN in the embeddings or the score file",
        message(() -> DetectionCurve.of(scores, i -> i == 0)));
    assertEquals(
        "3 target and 0 nontarget trials; EER, minDCF and Cllr need both kinds, check the labels",
        message(() -> DetectionCurve.of(scores, i -> true)));
    assertEquals(
        "0 target and 0 nontarget trials; EER, minDCF and Cllr need both kinds, check the labels",
        message(() -> DetectionCurve.of(new double[0], i -> true)));
  }

  @Test
  void impossibleCostsAreRefused() {
    assertEquals(
        "p_target 1.0 is not between 0 and 1; 0.05 is usual", message(() -> DetectionCost.of(1)));
    assertEquals(
        "p_target NaN is not between 0 and 1; 0.05 is usual",
        message(() -> DetectionCost.of(Double.NaN)));
    assertEquals(
        "c_fa 0.0 is not a positive number; 1 is usual",
        message(() -> new DetectionCost(0.05, 1, 0)));
  }

  private static String message(org.junit.jupiter.api.function.Executable run) {
    return refused(run);
  }
}
