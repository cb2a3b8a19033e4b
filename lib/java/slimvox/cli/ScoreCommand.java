package slimvox.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.data.Corpus;
import slimvox.data.CorpusReport;
import slimvox.embed.EmbeddingFile;
import slimvox.report.Values;
import slimvox.storage.AtomicFile;
import slimvox.verify.AdaptiveSNorm;
import slimvox.verify.Cllr;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.QualityCalibration;
import slimvox.verify.QualityMeasures;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

/** Cosine scores of a trial list. */
@Command(name = "score", description = "Score trials by the cosine of their embeddings.")
final class ScoreCommand extends Subcommand {
  @Parameters(index = "0", paramLabel = "EMBEDDINGS", description = "Made by 'slimvox embed'.")
  private Path embeddings;

  @Parameters(
      index = "1",
      paramLabel = "TRIALS",
      description = "Lines '1|0 enrol test' or 'enrol test target|nontarget'.")
  private Path trials;

  @Parameters(index = "2", paramLabel = "OUT", description = "The score file to write.")
  private Path out;

  @Option(
      names = "--mean-of",
      paramLabel = "EMBEDDINGS",
      description = "Subtract the mean of these (training) embeddings first.")
  private Path meanOf;

  @Option(
      names = "--asnorm",
      paramLabel = "COHORT",
      description = "Normalise by AS-norm with these embeddings, best one a training speaker.")
  private Path cohort;

  @Option(
      names = "--top",
      paramLabel = "N",
      description = "Nearest cohort members that AS-norm uses. Default 300.")
  private Integer top;

  @Option(
      names = "--calibrate",
      paramLabel = "TRIALS",
      description = {
        "Make log-likelihood ratios of the scores, by logistic regression on these other trials"
            + " (their utterances are in EMBEDDINGS too): of the score after AS-norm and, of both"
            + " utterances, duration, length of the embedding and mean of the nearest cohort."
      })
  private Path calibration;

  @Option(
      names = "--corpus",
      paramLabel = "CORPUS",
      description = "Folder of the recordings, whose durations --calibrate needs.")
  private Path corpus;

  @Option(
      names = "--format",
      paramLabel = "F",
      description =
          "voxsrc (score enrol test) or wespeaker (enrol test score label). Default voxsrc.")
  private Scores.Format format = Scores.Format.VOXSRC;

  ScoreCommand() {
    super("data.resample", "data.longestMinutes");
  }

  @Override
  public Integer call() {
    if (top != null && cohort == null) throw usage("--top has no effect without --asnorm");
    if (calibration != null && (cohort == null || corpus == null)) {
      throw usage("--calibrate needs --asnorm COHORT and --corpus CORPUS");
    }
    if (corpus != null && calibration == null) {
      throw usage("--corpus has no effect without --calibrate");
    }
    if (!flags.given("data.").isEmpty() && calibration == null) {
      throw usage("--resample and --longest have no effect without --calibrate");
    }
    apart(out, "the trial list", trials);
    apart(out, "the trial list of --calibrate", calibration);
    apart(out, "the file of embeddings", embeddings);
    apart(out, "the file of --mean-of", meanOf);
    apart(out, "the cohort", cohort);
    AtomicFile.requireWritable(out);
    ShowCommand.requireBeside(out);
    Trials list = Trials.read(trials);
    Embeddings vectors = EmbeddingFile.read(embeddings);
    CosineScoring cosine =
        meanOf == null
            ? CosineScoring.plain()
            : CosineScoring.subtracting(EmbeddingFile.read(meanOf).mean());
    Values values = new Values();
    Scores scores;
    String cost = "";
    if (cohort == null) {
      scores = cosine.score(list, vectors);
    } else {
      Embeddings others = EmbeddingFile.read(cohort);
      AdaptiveSNorm norm = new AdaptiveSNorm(cosine, others, top == null ? 300 : top);
      if (calibration == null) {
        scores = norm.score(list, vectors);
      } else {
        scores = calibrated(norm, list, vectors, values);
        cost =
            values.text(
                "\nCllr {cllr:%.4f}, minCllr {min_cllr:%.4f}; of {calibration_list}"
                    + " {calibration_cllr:%.4f}, {calibration_min_cllr:%.4f}");
      }
    }
    scores.write(out, format);
    Map<String, String> provenance = ShowCommand.of(embeddings);
    provenance.put("trial_list_sha256", list.sha256());
    Object known = values.get("calibration_list_sha256");
    if (known != null) provenance.put("calibration_list_sha256", known.toString());
    provenance.put("scoring", scores.source());
    ShowCommand.writeBeside(out, provenance);
    values.put("trials", scores.size());
    values.put("targets", list.targets());
    values.put("nontargets", list.nontargets());
    values.put("trial_list", list.name());
    values.put("trial_list_sha256", list.sha256());
    values.put("scoring", scores.source());
    values.put("scores", out.toString());
    result(
        values.text("{trials:%,d} trial{trials:s} scored by {scoring} into {scores}") + cost,
        values);
    return 0;
  }

  private Scores calibrated(AdaptiveSNorm norm, Trials list, Embeddings vectors, Values values) {
    ToDoubleFunction<String> seconds =
        CorpusReport.durations(Corpus.open(corpus).reading(flags.recipe().data().reading()));
    Trials known = Trials.read(calibration);
    if (known.sha256().equals(list.sha256())) {
      note("calibrated on the trials that are scored: Cllr is too good; give --calibrate others");
    }
    if (Math.min(known.targets(), known.nontargets()) <= QualityMeasures.SIZE) {
      String few = "calibrated on %d target and %d nontarget trials, few for %d weights; give more";
      note(few.formatted(known.targets(), known.nontargets(), QualityMeasures.SIZE + 1));
    }
    QualityMeasures train = QualityMeasures.of(norm, known, vectors, seconds);
    QualityCalibration found = QualityCalibration.train(train);
    Scores scores = found.calibrated(QualityMeasures.of(norm, list, vectors, seconds));
    Cllr cllr = Cllr.of(scores);
    Cllr own = Cllr.of(found.calibrated(train));
    values.put("cllr", cllr.value());
    values.put("min_cllr", cllr.least());
    values.put("calibration_list", known.name());
    values.put("calibration_list_sha256", known.sha256());
    values.put("calibration_cllr", own.value());
    values.put("calibration_min_cllr", own.least());
    return scores;
  }
}
