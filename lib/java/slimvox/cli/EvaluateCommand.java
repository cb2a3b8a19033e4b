package slimvox.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.plot.Figure;
import slimvox.report.Rows;
import slimvox.report.Values;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.UtteranceNames;
import slimvox.verify.DetectionCost;
import slimvox.verify.DetectionCurve;
import slimvox.verify.DetectionCurve.DetPoint;
import slimvox.verify.PhraseResults;
import slimvox.verify.Scores;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/** EER and minDCF of a score file, with {@code --words} of each phrase as well. */
@Command(name = "evaluate", description = "Compute EER and minDCF of scores.")
final class EvaluateCommand extends Subcommand {
  private static final int MOST_POINTS = 1000;

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
      description =
          "Prior of a target trial in minDCF. Default ${DEFAULT-VALUE} (VoxSRC's); WeSpeaker's"
              + " recipes have 0.01.")
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
      requireKnown(det);
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
    if (det != null) write(curve);
    Values values = json(v);
    if (phrases == null) {
      result(v.toString(), values);
      return 0;
    }
    Values each = new Values();
    for (var p : phrases.phrases()) each.put(p.phrase(), json(p.verification()));
    values.put("phrases", each);
    values.put("mean_phrase_eer_percent", phrases.meanEerPercent());
    result(
        table(phrases)
            + values.text("mean of the phrases' EERs: {mean_phrase_eer_percent:%.2f} %\npooled: ")
            + phrases.pooled(),
        values);
    return 0;
  }

  /** Refuses other endings, before any work is done. */
  private static void requireKnown(Path det) {
    if (det.toString().matches("(?i).*\\.(png|csv)")) return;
    throw new InputException(
        det + ": a DET curve is written as .png (picture) or .csv (table); change the ending");
  }

  /** Writes the DET curve as a picture or as a table; which, the file's ending says. */
  private void write(DetectionCurve curve) {
    List<DetPoint> points = curve.detPoints(MOST_POINTS);
    if (det.toString().toLowerCase(Locale.ROOT).endsWith("csv")) {
      Rows<DetPoint> table =
          Rows.of(points)
              .column("false_alarm_rate", DetPoint::falseAlarmRate)
              .column("miss_rate", DetPoint::missRate);
      AtomicFile.write(det, table.csv());
      return;
    }
    double[] falseAlarms = points.stream().mapToDouble(DetPoint::falseAlarmRate).toArray();
    double[] misses = points.stream().mapToDouble(DetPoint::missRate).toArray();
    String name = scores.getFileName().toString();
    byte[] png = Figure.det("DET").line(name, falseAlarms, misses).png(2);
    AtomicFile.write(det, png.length, out -> out.write(png));
  }

  private PhraseResults phrases(Scores scored, DetectionCost cost) {
    Map<String, String> said = PhraseResults.readPhrases(words);
    UtteranceNames names = new UtteranceNames(said.keySet());
    return PhraseResults.of(scored, u -> said.get(names.find(words.toString(), u)), cost);
  }

  private static String table(PhraseResults phrases) {
    int width = 6;
    for (var p : phrases.phrases()) width = Math.max(width, p.phrase().length());
    return Rows.of(phrases.phrases())
        .column("phrase", "%-" + width + "s", p -> p.phrase())
        .column("EER (%)", "  %10.2f", p -> p.verification().eerPercent())
        .column("minDCF", "  %8.3f", p -> p.verification().minDcf())
        .column("targets", "  %7d", p -> p.verification().targets())
        .column("nontargets", "  %10d", p -> p.verification().nontargets())
        .text();
  }

  /** A verification result under the keys that scripts rely on. */
  static Values json(Verification v) {
    Values values = new Values();
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
