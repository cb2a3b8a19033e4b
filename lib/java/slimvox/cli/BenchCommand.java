package slimvox.cli;

import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import slimvox.storage.InputException;

/**
 * Measures speed. What can be measured are the {@link Subcommand}s that a jar offers as a service,
 * {@code slimvox-bench.jar}; nothing else needs it.
 */
@Command(
    name = "bench",
    description =
        "Measure a training step, an optimizer, inference, binary networks, the features, the"
            + " loader or the metrics.",
    synopsisSubcommandLabel = "(step|optimizer|embed|binary|features|loader|metrics)")
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  /** The command with what can be measured; without the jar it takes all words and says so. */
  static CommandLine withBenches() {
    CommandLine line = new CommandLine(new BenchCommand());
    ServiceLoader.load(Subcommand.class).forEach(line::addSubcommand);
    return line.setUnmatchedArgumentsAllowed(line.getSubcommands().isEmpty());
  }

  @Override
  public void run() {
    if (spec.subcommands().isEmpty()) {
      throw new InputException(
          "lib/target/slimvox-bench.jar is missing, which measures; build it: mvn -q package"
              + " -DskipTests");
    }
    throw new ParameterException(
        spec.commandLine(),
        "say what to measure: bench step, bench optimizer, bench embed, bench binary, bench"
            + " features, bench loader or bench metrics");
  }
}
