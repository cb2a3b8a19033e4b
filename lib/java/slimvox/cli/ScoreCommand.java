package slimvox.cli;

import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.embed.EmbeddingFile;
import slimvox.report.Values;
import slimvox.storage.AtomicFile;
import slimvox.verify.AdaptiveSNorm;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

/** Cosine scores of a trial list. */
@Command(
    name = "score",
    description = "Score trials by the cosine of their embeddings.",
    sortOptions = false)
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
      names = "--format",
      paramLabel = "F",
      description =
          "voxsrc (score enrol test) or wespeaker (enrol test score label). Default voxsrc.")
  private Scores.Format format = Scores.Format.VOXSRC;

  @Override
  public Integer call() {
    if (top != null && cohort == null) throw usage("--top has no effect without --asnorm");
    apart(out, "the trial list", trials);
    apart(out, "the file of embeddings", embeddings);
    apart(out, "the file of --mean-of", meanOf);
    apart(out, "the cohort", cohort);
    AtomicFile.requireWritable(out);
    Trials list = Trials.read(trials);
    Embeddings vectors = EmbeddingFile.read(embeddings);
    CosineScoring cosine =
        meanOf == null
            ? CosineScoring.plain()
            : CosineScoring.subtracting(EmbeddingFile.read(meanOf).mean());
    Scores scores;
    if (cohort == null) {
      scores = cosine.score(list, vectors);
    } else {
      Embeddings others = EmbeddingFile.read(cohort);
      scores = new AdaptiveSNorm(cosine, others, top == null ? 300 : top).score(list, vectors);
    }
    scores.write(out, format);
    Map<String, String> provenance = ShowCommand.of(embeddings);
    provenance.put("trial_list_sha256", list.sha256());
    provenance.put("scoring", scores.source());
    ShowCommand.writeBeside(out, provenance);
    Values values = new Values();
    values.put("trials", scores.size());
    values.put("targets", list.targets());
    values.put("nontargets", list.nontargets());
    values.put("trial_list", list.name());
    values.put("trial_list_sha256", list.sha256());
    values.put("scoring", scores.source());
    values.put("scores", out.toString());
    result(values.text("{trials:%,d} trials scored by {scoring} into {scores}"), values);
    return 0;
  }
}
