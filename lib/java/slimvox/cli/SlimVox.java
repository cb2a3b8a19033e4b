package slimvox.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.Locale;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import slimvox.storage.Provenance;

/**
 * The command line.
 *
 * <p>Results go to the standard output; with {@code --json} its last line is one JSON object.
 * Whatever goes wrong is one line on the standard error output. The exit code is 0, or 2 when
 * something the user gave cannot be used or the results cannot be written, 3 when they are written
 * without recordings that cannot be used, 130 after Ctrl-C, 141 where nobody reads them any more, 1
 * for a mistake within SlimVox.
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
      ShardsCommand.class,
      AverageCommand.class,
      PackCommand.class,
      ExportCommand.class,
      EmbedCommand.class,
      JoinCommand.class,
      ScoreCommand.class,
      EvaluateCommand.class,
      CompareCommand.class,
      ShowCommand.class,
      MemoryCommand.class,
      SettingsCommand.class,
      RecipeCommand.class
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
      return new String[] {"SlimVox " + Provenance.version()};
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is needed");
  }

  /** Runs one command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    StandardError.restore();
    Locale.setDefault(Locale.ROOT); // libraries, too, write digits that programs can read
    Writer out =
        new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), System.out.charset());
    Writer err =
        new OutputStreamWriter(new FileOutputStream(FileDescriptor.err), System.err.charset());
    System.setOut(System.err); // what a library prints is no result
    System.exit(execute(out, err, args));
  }

  private static void addFlags(CommandLine line) {
    if (line.getCommand() instanceof Subcommand command) {
      command.flags.addTo(line.getCommandSpec());
    }
    line.getSubcommands().values().stream().distinct().forEach(SlimVox::addFlags); // aliases
  }

  /**
   * Runs one command.
   *
   * @return its exit code
   */
  static int execute(Writer out, Writer err, String... args) {
    Output results = new Output(out);
    CommandLine line = new CommandLine(new SlimVox());
    line.addSubcommand(BenchCommand.withBenches()).addSubcommand(new InfoCommand());
    ServiceLoader.load(StudyCommand.class).forEach(line::addSubcommand);
    addFlags(line);
    line.setOut(new PrintWriter(results, true));
    line.setErr(new PrintWriter(new Output(err), true));
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
    line.setParameterExceptionHandler(Failures::usage);
    line.setExecutionExceptionHandler((e, command, _) -> Failures.report(e, command));
    int code;
    try {
      code = line.execute(args);
    } catch (Error e) { // picocli catches exceptions only
      code = Failures.report(e, line.getParseResult().asCommandLineList().getLast());
    }
    line.getOut().flush();
    if (results.failure() != null) code = Failures.output(results.failure(), line, code);
    line.getErr().flush();
    return code;
  }
}
