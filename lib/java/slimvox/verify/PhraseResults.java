package slimvox.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import slimvox.storage.InputException;
import slimvox.storage.TextLines;
import slimvox.storage.UtteranceNames;

/**
 * Text-dependent verification: results of each phrase, and of all phrases together.
 *
 * <p>In each trial both recordings say the same phrase. The pooled EER has one threshold for all
 * phrases, as a system has that does not ask which one is said; the mean of the phrases' EERs has a
 * threshold for each, and is therefore usually lower.
 *
 * @param pooled all trials together
 * @param phrases the trials of each phrase, in alphabetical order
 */
public record PhraseResults(Verification pooled, List<Phrase> phrases) {
  /** One phrase and its result. */
  public record Phrase(String phrase, Verification verification) {}

  public PhraseResults {
    phrases = List.copyOf(phrases);
  }

  /**
   * What utterances say: a file of lines {@code UTTERANCE PHRASE}, as a corpus' {@code utt2word}.
   *
   * @throws InputException if the file cannot be read, a line has no phrase, or an utterance is on
   *     two lines
   */
  public static Map<String, String> readPhrases(Path file) {
    Map<String, String> phrases = new HashMap<>();
    TextLines.readFields(
        file,
        (number, fields) -> {
          if (fields.length < 2) {
            throw InputException.at(
                file, number, "only one field (%s); a line is UTTERANCE PHRASE", fields[0]);
          }
          String phrase =
              UtteranceNames.normal(String.join(" ", List.of(fields).subList(1, fields.length)));
          if (phrases.put(fields[0], phrase) != null) {
            throw InputException.at(
                file, number, "%s is on an earlier line already; remove one of them", fields[0]);
          }
        });
    return phrases;
  }

  /**
   * Measures with the given prior and costs.
   *
   * @param phraseOf what an utterance says; null where that is not known
   * @throws InputException if a trial's phrases differ or are not known, or a phrase lacks targets
   *     or nontargets
   */
  public static PhraseResults of(
      Scores scores, Function<String, String> phraseOf, DetectionCost cost) {
    Trials trials = scores.trials();
    Map<String, List<Integer>> byPhrase = new TreeMap<>();
    for (int i = 0; i < trials.size(); i++) {
      byPhrase.computeIfAbsent(phrase(trials, i, phraseOf), _ -> new ArrayList<>()).add(i);
    }
    List<Phrase> phrases = new ArrayList<>();
    byPhrase.forEach(
        (phrase, numbers) ->
            phrases.add(new Phrase(phrase, verification(scores, phrase, numbers, cost))));
    return new PhraseResults(Verification.of(scores, cost), phrases);
  }

  private static String phrase(Trials trials, int i, Function<String, String> phraseOf) {
    String said = known(trials, i, trials.enrol(i), phraseOf);
    String repeated = known(trials, i, trials.test(i), phraseOf);
    if (said.equals(repeated)) return said;
    throw InputException.of(
        "%s:%s: '%s' says '%s' and '%s' says '%s'; in a text-dependent list both say the same",
        trials.name(), i + 1, trials.enrol(i), said, trials.test(i), repeated);
  }

  private static String known(
      Trials trials, int i, String utterance, Function<String, String> phraseOf) {
    String phrase = phraseOf.apply(utterance);
    if (phrase != null) return phrase;
    throw InputException.at(
        trials.name(),
        i + 1,
        "what '%s' says is not known; add it to the file of words",
        utterance);
  }

  private static Verification verification(
      Scores scores, String phrase, List<Integer> numbers, DetectionCost cost) {
    Trials all = scores.trials();
    Trials.Builder trials = Trials.builder(all.name() + ", phrase " + phrase);
    double[] values = new double[numbers.size()];
    for (int k = 0; k < values.length; k++) {
      int i = numbers.get(k);
      trials.add(all.enrol(i), all.test(i), all.isTarget(i));
      values[k] = scores.get(i);
    }
    return Verification.of(new Scores(scores, trials.build(), values), cost);
  }

  /** The mean of the phrases' EERs, in percent: each phrase has its own threshold. */
  public double meanEerPercent() {
    return phrases.stream().mapToDouble(p -> p.verification().eerPercent()).average().orElseThrow();
  }
}
