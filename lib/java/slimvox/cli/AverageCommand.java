package slimvox.cli;

import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.report.Values;
import slimvox.train.Checkpoint;

/** The mean of a run's latest networks. */
@Command(
    name = "average",
    description =
        "Average the networks of the latest checkpoints of a run, as is done before embedding or"
            + " fine-tuning.")
final class AverageCommand extends Subcommand {
  @Parameters(paramLabel = "RUN", description = "Folder of the run.")
  private Path folder;

  @Option(names = "--last", paramLabel = "N", description = "How many checkpoints.")
  private int last = 10;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "File to write. Default: average.safetensors in the run's folder.")
  private Path out;

  @Override
  public Integer call() {
    range("--last", last, 1, 1_000_000);
    Path file = out == null ? folder.resolve("average.safetensors") : out;
    for (Path one : Checkpoint.list(folder)) apart(file, "a checkpoint of the run", one);
    Checkpoint.average(folder, last, file);
    Values values = new Values().with("averaged", last).with("out", file.toString());
    result(values.text("the mean of {averaged} checkpoint{averaged:s} in {out}"), values);
    return 0;
  }
}
