package slimvox.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.storage.AtomicFile;
import slimvox.storage.UtteranceNames;
import slimvox.verify.DetectionCost;
import slimvox.verify.DetectionCurve;
import slimvox.verify.PhraseResults;
import slimvox.verify.Scores;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/** EER and minDCF of a score file, with {@code --words} of each phrase as well. */
@Command(name = "evaluate", description = "Compute EER and minDCF of scores.", sortOptions = false)
final class EvaluateCommand extends Subcommand {
  @Parameters(
      index = "0",
      paramLabel = "SCORES",
      description = "Lines 'score enrol test' or 'enrol test score [target|nontarget]'.")
  private Path scores;

  @Parameters(
      index = "1",
      paramLabel = "TRIALS",
      description = "Lines '1|0 enrol test' or 'enrol test target|nontarget'.")
  private Path trials;

  @Option(
      names = "--p-target",
      paramLabel = "P",
      description = "Prior of a target trial in minDCF. Default ${DEFAULT-VALUE} (VoxSRC's).")
  private double pTarget = 0.05;

  @Option(
      names = "--det",
      paramLabel = "OUT",
      description = "Write the DET curve: a picture (.png) or a table (.csv).")
  private Path det;

  @Option(
      names = "--words",
      paramLabel = "UTT2WORD",
      description =
          "Lines 'utterance phrase': results of each phrase too. In each trial both recordings have"
              + " to say the same.")
  private Path words;

  @Override
  public Integer call() {
    if (det != null) {
      DetFile.requireKnown(det);
      apart(det, "the file of scores", scores);
      apart(det, "the trial list", trials);
      apart(det, "the file of words", words);
      AtomicFile.requireWritable(det);
    }
    DetectionCost cost = DetectionCost.of(pTarget);
    Scores scored = Scores.read(scores, Trials.read(trials));
    DetectionCurve curve = scored.curve();
    Verification v = Verification.of(curve, scored, cost);
    PhraseResults phrases = words == null ? null : phrases(scored, cost);
    if (det != null) DetFile.write(det, scores.getFileName().toString(), curve);
    Map<String, Object> values = json(v);
    if (phrases == null) {
      result(v.toString(), values);
      return 0;
    }
    Map<String, Object> each = new LinkedHashMap<>();
    for (var p : phrases.phrases()) each.put(p.phrase(), json(p.verification()));
    values.put("phrases", each);
    values.put("mean_phrase_eer_percent", phrases.meanEerPercent());
    result(table(phrases), values);
    return 0;
  }

  private PhraseResults phrases(Scores scored, DetectionCost cost) {
    Map<String, String> said = PhraseResults.readPhrases(words);
    UtteranceNames names = new UtteranceNames(said.keySet());
    return PhraseResults.of(scored, u -> said.get(names.find(words.toString(), u)), cost);
  }

  private static String table(PhraseResults phrases) {
    int width = 6;
    for (var p : phrases.phrases()) width = Math.max(width, p.phrase().length());
    String row = "%-" + width + "s  %10.2f  %8.3f  %7d  %10d%n";
    StringBuilder table = new StringBuilder();
    table.append(
        ("%-" + width + "s  %10s  %8s  %7s  %10s%n")
            .formatted("phrase", "EER (%)", "minDCF", "targets", "nontargets"));
    for (var p : phrases.phrases()) {
      Verification v = p.verification();
      table.append(
          String.format(
              Locale.ROOT,
              row,
              p.phrase(),
              v.eerPercent(),
              v.minDcf(),
              v.targets(),
              v.nontargets()));
    }
    return table
        .append(
            String.format(
                Locale.ROOT, "mean of the phrases' EERs: %.2f %%%n", phrases.meanEerPercent()))
        .append("pooled: ")
        .append(phrases.pooled())
        .toString();
  }

  /** A verification result under the keys that scripts rely on. */
  static Map<String, Object> json(Verification v) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("eer_percent", v.eerPercent());
    values.put("min_dcf", v.minDcf());
    values.put("p_target", v.pTarget());
    values.put("targets", v.targets());
    values.put("nontargets", v.nontargets());
    values.put("trials", v.trials());
    values.put("eer_wespeaker_percent", v.eerWespeakerPercent());
    values.put("eer_threshold", v.eerThreshold());
    values.put("min_dcf_merged", v.minDcfMerged());
    values.put("min_dcf_threshold", v.minDcfThreshold());
    values.put("trial_list", v.trialList());
    values.put("trial_list_sha256", v.sha256());
    if (v.scoring() != null) values.put("scoring", v.scoring());
    return values;
  }
}
