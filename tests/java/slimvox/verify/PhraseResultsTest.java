package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slimvox.Refusals.refused;

import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class PhraseResultsTest {
  /** Utterances are called SPEAKER-WORD-NUMBER. */
  private static final Function<String, String> WORD =
      u -> u.contains("-") ? u.split("-")[1] : null;

  private static Trials trials(String... pairs) {
    Trials.Builder builder = Trials.builder("list");
    for (String pair : pairs) {
      String[] f = pair.split(" ");
      builder.add(f[0], f[1], f[0].charAt(0) == f[1].charAt(0));
    }
    return builder.build();
  }

  @Test
  void eachPhraseHasItsOwnThresholdAndAllTogetherHaveOne() {
    Trials trials =
        trials(
            "a-yes-0 a-yes-1",
            "a-no-0 a-no-1",
            "a-yes-0 b-yes-1",
            "a-no-0 b-no-1",
            "b-yes-0 b-yes-1",
            "b-no-0 b-no-1",
            "b-yes-0 a-yes-1",
            "b-no-0 a-no-1");
    // Each phrase is told apart without error, but all scores of "no" are higher by 5.
    double[] scores = {2, 7, 1, 6, 2, 7, 1, 6};
    PhraseResults results =
        PhraseResults.of(new Scores("test", trials, scores), WORD, DetectionCost.VOXSRC);
    assertEquals(List.of("no", "yes"), results.phrases().stream().map(p -> p.phrase()).toList());
    for (PhraseResults.Phrase p : results.phrases()) {
      assertEquals(0, p.verification().eerPercent());
      assertEquals(2, p.verification().targets());
      assertEquals(2, p.verification().nontargets());
    }
    assertEquals("list, phrase no", results.phrases().getFirst().verification().trialList());
    assertEquals(0, results.meanEerPercent());
    assertEquals(50, results.pooled().eerPercent());
    assertEquals(8, results.pooled().trials());
    assertEquals(trials.sha256(), results.pooled().sha256());
  }

  @Test
  void trialsOfDifferentPhrasesAndUnknownOnesAreNamed() {
    assertEquals(
        "list:2: 'a-yes-0' says 'yes' and 'b-no-1' says 'no'; in a text-dependent list both say"
            + " the same",
        refusal("a-yes-0 a-yes-1", "a-yes-0 b-no-1"));
    assertEquals(
        "list:1: what 'aa' says is not known; add it to the file of words", refusal("a-yes-0 aa"));
  }

  private static String refusal(String... pairs) {
    Scores scores = new Scores("test", trials(pairs), new double[pairs.length]);
    return refused(() -> PhraseResults.of(scores, WORD, DetectionCost.VOXSRC));
  }
}
