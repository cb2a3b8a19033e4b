package slimvox.cli;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The command line.
 *
 * <p>Results go to the standard output; with {@code --json} its last line is one JSON object.
 * Whatever goes wrong is one line on the standard error output. The exit code is 0, or 2 when
 * something the user gave cannot be used, 130 after Ctrl-C, 1 for a mistake within SlimVox.
 */
@Command(
    name = "slimvox",
    description = "Trains speaker-verification networks in a fraction of the usual memory.",
    versionProvider = SlimVox.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    footer = {"", "'slimvox COMMAND --help' says more about a command."},
    subcommands = {
      TrainCommand.class,
      FeaturesCommand.class,
      PackCommand.class,
      EmbedCommand.class,
      ScoreCommand.class,
      EvaluateCommand.class,
      MemoryCommand.class,
      BenchCommand.class,
      InfoCommand.class
    })
public final class SlimVox implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version.")
  private boolean version;

  SlimVox() {}

  /** Prints the version that the jar carries. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"SlimVox " + version()};
    }
  }

  /** The version of the jar; {@code development} when run from class files. */
  static String version() {
    String version = SlimVox.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is needed");
  }

  /** Runs one command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    StandardError.restore();
    PrintWriter out = new PrintWriter(System.out, true);
    PrintWriter err = new PrintWriter(System.err, true);
    System.exit(execute(out, err, args));
  }

  /**
   * Runs one command.
   *
   * @return its exit code
   */
  static int execute(PrintWriter out, PrintWriter err, String... args) {
    CommandLine line = new CommandLine(new SlimVox());
    line.setOut(out);
    line.setErr(err);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(Failures::usage);
    line.setExecutionExceptionHandler((e, command, _) -> Failures.report(e, command));
    try {
      return line.execute(args);
    } catch (Error e) { // picocli catches exceptions only
      return Failures.report(e, line);
    } finally {
      out.flush();
      err.flush();
    }
  }
}
