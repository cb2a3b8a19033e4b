package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Against the answers of tests/data/verify/gen_statistics.py. */
class ComparisonTest {
  private static final JsonNode KNOWN = known();

  private final Map<String, String> speakerOf = new HashMap<>();
  private final Trials trials = trials();
  private final SpeakerDraws draws = SpeakerDraws.of(speakerOf::get, trials);

  private static JsonNode known() {
    try {
      return new ObjectMapper().readTree(Path.of("tests/data/verify/statistics.json").toFile());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private Trials trials() {
    Trials.Builder builder = Trials.builder("list");
    int each = KNOWN.get("utterances_of_a_speaker").asInt();
    for (int a = 0; a < each * KNOWN.get("speakers").asInt(); a++) {
      speakerOf.put("u" + a, "s" + a / each);
      for (int b = 0; b < a; b++) builder.add("u" + a, "u" + b, a / each == b / each);
    }
    return builder.build();
  }

  private static double[] doubles(JsonNode numbers) {
    double[] values = new double[numbers.size()];
    for (int i = 0; i < values.length; i++) values[i] = numbers.get(i).asDouble();
    return values;
  }

  private List<Replicates> runs(String name) {
    List<Replicates> runs = new ArrayList<>();
    for (JsonNode scores : KNOWN.get("scores").get(name)) {
      runs.add(draws.errorRates(new Scores("made", trials, doubles(scores))));
    }
    return runs;
  }

  private Variant trained(String name) {
    return Variant.trained(name, runs(name));
  }

  @Test
  void ratesUnderDrawsAreThoseOfScikitLearn() {
    for (int draw = 0; draw < 3; draw++) {
      double[] times = Arrays.stream(draws.times(draw)).asDoubleStream().toArray();
      assertArrayEquals(doubles(KNOWN.get("first_draws").get(draw)), times);
    }
    for (String name : List.of("reference", "variant")) {
      List<Replicates> runs = runs(name);
      for (Measure measure : Measure.values()) {
        JsonNode expected =
            KNOWN.get("rates").get(name).get(measure == Measure.EER ? "eer" : "min_dcf");
        assertArrayEquals(
            doubles(expected.get("runs")),
            runs.stream().mapToDouble(run -> run.value(measure)).toArray(),
            1e-9);
        assertArrayEquals(
            doubles(expected.get("draws_of_run_1")), runs.getFirst().values(measure), 1e-9);
      }
    }
  }

  private static void check(JsonNode expected, Comparison comparison, double tolerance) {
    assertEquals(expected.get("low").asDouble(), comparison.low(), tolerance);
    assertEquals(expected.get("high").asDouble(), comparison.high(), tolerance);
    double percent = 100 * comparison.difference().value() / comparison.referenceMean();
    assertEquals(percent, comparison.percent(), 1e-9);
    for (String limit : List.of("percent_low", "percent_high")) {
      if (!expected.has(limit)) continue;
      double actual = limit.endsWith("low") ? comparison.percentLow() : comparison.percentHigh();
      assertEquals(expected.get(limit).asDouble(), actual, 10 * tolerance, limit);
    }
    if (!comparison.overSeeds()) return; // nothing is tested
    assertEquals(expected.get("p_different").asDouble(), comparison.pDifferent(), tolerance);
    assertEquals(expected.get("p_not_worse").asDouble(), comparison.pNotWorse(), tolerance);
    assertEquals(expected.get("p_equivalent").asDouble(), comparison.pEquivalent(), tolerance);
  }

  @Test
  void differencesOverSeedsAndSpeakers() {
    double margin = KNOWN.get("margin").asDouble();
    Variant reference = trained("reference");
    Variant variant = trained("variant");
    JsonNode expected = KNOWN.get("comparisons");
    Comparison eer = Comparison.of(reference, variant, Measure.EER, margin);
    double rounding = 1e-4; // a rate half way between two steps may be kept as either
    check(expected.get("eer"), eer, rounding);
    assertEquals(expected.get("eer").get("difference").asDouble(), eer.difference().value(), 1e-9);
    check(
        expected.get("min_dcf"),
        Comparison.of(reference, variant, Measure.MIN_DCF, margin),
        rounding);
    Replicates first = variant.runs().getFirst();
    Variant untrained = Variant.untrained("no network", first);
    Comparison against = Comparison.of(reference, untrained, Measure.EER, margin);
    assertTrue(against.overSeeds());
    check(expected.get("eer, untrained"), against, rounding);
    Variant three = Variant.trained("three", reference.runs().subList(0, 3));
    check(
        expected.get("eer, paired"),
        Comparison.of(three, variant, Measure.EER, margin, true),
        rounding);
    Variant once = Variant.trained("once", List.of(first));
    check(expected.get("eer, one run"), Comparison.of(three, once, Measure.EER, margin), rounding);
    check( // other speakers are difficult for it: the covariance over speakers counts
        expected.get("eer, other speakers"),
        Comparison.of(reference, trained("other"), Measure.EER, margin),
        rounding);

    Estimate alone = variant.estimate(Measure.EER);
    assertArrayEquals(
        doubles(KNOWN.get("interval_of_variant")),
        new double[] {alone.value(), alone.low(0.95), alone.high(0.95)},
        rounding);
  }

  /** Runs whose error rate is the same whatever speakers are drawn. */
  private static Variant flat(String name, double... eers) {
    double[] rates = new double[SpeakerDraws.DRAWS];
    Arrays.fill(rates, 0.1);
    return Variant.trained(
        name,
        Arrays.stream(eers)
            .mapToObj(eer -> Replicates.of("list", "draws", 150, eer, eer / 20, rates, rates))
            .toList());
  }

  @Test
  void withoutSpeakerVarianceItIsWelchsTest() {
    for (JsonNode expected : KNOWN.get("welch")) {
      Variant reference = flat("reference", doubles(expected.get("reference")));
      Variant variant = flat("variant", doubles(expected.get("variant")));
      check(expected, Comparison.of(reference, variant, Measure.EER, 0.1), 1e-9);
    }
  }

  @Test
  void holmsCorrectionIsThatOfStatsmodels() {
    JsonNode expected = KNOWN.get("holm");
    assertArrayEquals(
        doubles(expected.get("corrected")), Comparison.holm(doubles(expected.get("p"))), 1e-12);
    Variant reference = flat("reference", 9.1, 9.2, 9.15);
    List<Comparison> alone = new ArrayList<>();
    for (double more : new double[] {0.1, 0.2, -0.3}) {
      Variant variant = flat("v" + more, 9.1 + more, 9.25 + more, 9.0 + more);
      alone.add(Comparison.of(reference, variant, Measure.EER, 0.1));
    }
    List<Comparison> family = Comparison.family(alone, 0);
    double[] corrected =
        Comparison.holm(alone.stream().mapToDouble(Comparison::pEquivalent).toArray());
    for (int i = 0; i < family.size(); i++) {
      assertEquals(corrected[i], family.get(i).pEquivalent());
      assertEquals(alone.get(i).difference(), family.get(i).difference());
      assertEquals(alone.get(i).percentHigh(), family.get(i).percentHigh());
      assertEquals(alone.get(i).variant(), family.get(i).variant());
    }
    alone.add(1, Comparison.of(reference, flat("once", 5), Measure.EER, 0.1));
    List<Comparison> withOneRun = Comparison.family(alone, 0);
    assertEquals(1, withOneRun.get(1).pEquivalent());
    assertEquals(family.get(1), withOneRun.get(2)); // what is not tested costs the others nothing
  }

  @Test
  void whatIsToComeIsAMemberOfTheFamily() {
    JsonNode expected = KNOWN.get("family of two and one open");
    Variant reference = trained("reference");
    List<Comparison> made = new ArrayList<>();
    for (Measure measure : Measure.values()) {
      made.add(Comparison.of(reference, trained("variant"), measure, 0.1));
    }
    List<Comparison> family = Comparison.family(made, 1);
    for (int i = 0; i < 2; i++) {
      Comparison c = family.get(i);
      assertEquals(expected.get("p_different").get(i).asDouble(), c.pDifferent(), 1e-4);
      assertEquals(expected.get("p_not_worse").get(i).asDouble(), c.pNotWorse(), 1e-4);
      assertEquals(expected.get("p_equivalent").get(i).asDouble(), c.pEquivalent(), 1e-4);
      assertEquals(c.pDifferent(), c.pVerdict(), "of what cannot be told");
    }
  }

  @Test
  void verdictsFollowFromTheTests() {
    for (JsonNode expected : KNOWN.get("verdicts")) {
      double[] p = doubles(expected.get("case"));
      Estimate difference = new Estimate(p[3], 1, 5);
      Comparison comparison =
          new Comparison(
              "a", "b", Measure.EER, 0.1, true, 9, 9, difference, 1, 1, p[0], p[1], p[2]);
      assertEquals(expected.get("verdict").asText(), comparison.verdict().toString());
      double ofVerdict =
          switch (comparison.verdict()) {
            case EQUIVALENT -> p[2];
            case NOT_WORSE -> p[1];
            default -> p[0];
          };
      assertEquals(ofVerdict, comparison.pVerdict());
    }
  }

  @Test
  void oneSeedSaysNothingAboutTraining() {
    Variant one = Variant.trained("once", runs("variant").subList(0, 1));
    Variant reference = trained("reference");
    Comparison same = Comparison.of(one, Variant.trained("again", one.runs()), Measure.EER, 0.1);
    assertFalse(same.overSeeds());
    assertEquals(0, same.difference().standardError());
    assertEquals(Verdict.CANNOT_TELL, same.verdict());
    assertEquals(Verdict.CANNOT_TELL, Comparison.family(List.of(same), 0).getFirst().verdict());
    Comparison better = Comparison.of(reference, one, Measure.EER, 0.1);
    assertTrue(
        better.toString().endsWith(": cannot tell (one run: interval over speakers only)"),
        better.toString());
    assertTrue(better.high() > better.low());
    String text = one.text(Measure.EER);
    assertTrue(text.endsWith("; 1 run, over speakers only, 10 speakers)"), text);
    assertTrue(Double.isNaN(one.seedDeviation(Measure.EER)));
  }

  @Test
  void linesToRead() {
    Comparison c =
        Comparison.of(flat("AdamW", 9, 10, 11), flat("8 bits", 9.2, 9.7, 10.2), Measure.EER, 0.1);
    assertEquals(
        "8 bits against AdamW: EER -0.30 (-2.38 to +1.78), -3.0 (-19.5 to +23.5) %,"
            + " margin 10 %: cannot tell",
        c.toString());
    assertEquals(
        "AdamW: EER 10.00 % (95 % interval 7.52 to 12.48; 3 runs, 150 speakers)",
        flat("AdamW", 9, 10, 11).text(Measure.EER));
    assertEquals(
        "float: minDCF 0.5000 (95 % interval 0.3758 to 0.6242; 3 runs, 150 speakers)",
        flat("float", 9, 10, 11).text(Measure.MIN_DCF));
    Comparison wide = Comparison.of(flat("a", 1, 20), flat("b", 9, 9), Measure.EER, 0.1);
    assertEquals(Double.POSITIVE_INFINITY, wide.percentHigh(), "a could be 0");
    assertTrue(wide.toString().contains(" to +∞) %, margin"), wide.toString());
    Comparison fixed = Comparison.of(flat("a", 0.9, 0.9), flat("b", 1.1, 1.1), Measure.EER, 0.1);
    assertEquals(fixed.percent(), fixed.percentLow(), 1e-9);
    assertEquals(fixed.percent(), fixed.percentHigh(), 1e-9);
    Comparison none = Comparison.of(flat("a", 0, 0), flat("b", 0, 0), Measure.EER, 0.1);
    assertEquals(Verdict.CANNOT_TELL, none.verdict());
  }

  @Test
  void whatCannotBeComparedIsRefused() {
    Variant ten = flat("ten", 9, 10);
    for (double margin : new double[] {0, -0.1, 1, Double.NaN}) {
      assertRefused(
          "margin " + margin + " is not between 0 and 1; 0.1 is 10 % of the reference's error",
          () -> Comparison.of(ten, ten, Measure.EER, margin));
    }
    double[] rates = new double[SpeakerDraws.DRAWS];
    Replicates otherList = Replicates.of("other", "draws", 150, 9, 0.4, rates, rates);
    assertRefused(
        "b is scored on trial list other, ten on list; score both on the same list",
        () -> Comparison.of(ten, Variant.untrained("b", otherList), Measure.EER, 0.1));
    Replicates others = Replicates.of("list", "0123456789abcd", 150, 9, 0.4, rates, rates);
    assertRefused(
        "b has draws of other speakers (0123456789ab) than b (draws); evaluate both with the same"
            + " speakers",
        () -> Variant.trained("b", List.of(ten.runs().getFirst(), others)));
    assertRefused(
        "one has 1 run(s), ten 2; runs that pair are as many",
        () -> {
          Variant one = Variant.trained("one", ten.runs().subList(0, 1));
          Comparison.of(ten, one, Measure.EER, 0.1, true);
        });
    assertRefused("b: no run; score one or more", () -> Variant.trained("b", List.of()));
    assertRefused(
        "b: 2 runs of what has no training; give one of them",
        () -> new Variant("b", ten.runs(), false));
    assertRefused(
        "result on trial list list: 3 bytes of draws instead of 400; evaluate it again",
        () -> new Replicates("list", "draws", 150, 9, 0.4, "AAAA", "AAAA"));
    assertRefused(
        "result on trial list list: 0 bytes of draws instead of 400; evaluate it again",
        () -> new Replicates("list", "draws", 150, 9, 0.4, "?", "AAAA"));
    assertRefused(
        "result on trial list list: EER NaN % or minDCF 0.4 is no error rate; evaluate it again",
        () -> Replicates.of("list", "draws", 150, Double.NaN, 0.4, rates, rates));
  }

  @Test
  void resultsAreKeptAsText() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    Replicates run = runs("variant").getFirst();
    String kept = mapper.writeValueAsString(run);
    assertTrue(kept.length() < 1400, kept);
    assertEquals(run, mapper.readValue(kept, Replicates.class));
  }
}
