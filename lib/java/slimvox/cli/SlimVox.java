package slimvox.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;
import slimvox.settings.Key;
import slimvox.storage.InputException;
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
    footer = {"", "'slimvox COMMAND --help' says more about a command."})
public final class SlimVox implements Runnable {
  private static final List<Class<? extends Subcommand>> COMMANDS =
      List.of(
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
          RecipeCommand.Settings.class,
          RecipeCommand.class);

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

  /**
   * Measures speed. What can be measured are the {@link Subcommand}s that a jar offers as a
   * service, {@code slimvox-bench.jar}; nothing else needs it.
   */
  @Command(
      name = "bench",
      description =
          "Measure a training step, an optimizer, inference, binary networks, the features, the"
              + " loader or the metrics.",
      synopsisSubcommandLabel = "(step|optimizer|embed|binary|features|loader|metrics)")
  static final class Bench implements Runnable {
    @Spec private CommandSpec spec;

    @Option(
        names = {"-h", "--help"},
        usageHelp = true,
        description = "Show this help.")
    private boolean help;

    /** The command with what can be measured; without the jar it takes all words and says so. */
    static CommandLine withBenches() {
      CommandLine line = new CommandLine(new Bench());
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

  /** Runs one command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    restoreStandardError();
    Locale.setDefault(Locale.ROOT); // libraries, too, write digits that programs can read
    Writer out =
        new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), System.out.charset());
    Writer err =
        new OutputStreamWriter(new FileOutputStream(FileDescriptor.err), System.err.charset());
    System.setOut(System.err); // what a library prints is no result
    System.exit(execute(out, err, args));
  }

  /**
   * Puts the real standard error output back in its place, for Java and native code.
   *
   * <p>A JVM that is given the Vector API writes "WARNING: Using incubator modules" before any
   * class of ours runs, and has no option against it; a failure would be two lines. So {@code
   * lib/bin/slimvox} starts the JVM with an empty standard error output, keeps the real one as
   * another file descriptor, and names that in the property {@code slimvox.stderr}.
   */
  @SuppressWarnings("restricted") // dup2 is what it is for
  private static void restoreStandardError() {
    Integer real = Integer.getInteger("slimvox.stderr");
    if (real == null) return;
    Linker linker = Linker.nativeLinker();
    MethodHandle dup2 =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("dup2"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    try {
      int unused = (int) dup2.invokeExact((int) real, 2);
    } catch (Throwable e) {
      throw new AssertionError(e); // dup2 throws nothing
    }
  }

  /** Adds the flags of settings, in the order of the fields, and what options' enums are called. */
  private static void complete(CommandLine line) {
    CommandSpec spec = line.getCommandSpec();
    if (line.getCommand() instanceof Subcommand command) {
      spec.usageMessage().sortOptions(false);
      command.flags.addTo(spec);
    }
    for (OptionSpec option : spec.options()) {
      if (option.type().isEnum()) register(line, option.type());
    }
    line.getSubcommands().values().stream().distinct().forEach(SlimVox::complete); // aliases
  }

  /** The help of a command, in which options of numbers say a default. */
  private static CommandLine.Help help(CommandSpec spec, CommandLine.Help.ColorScheme colors) {
    for (OptionSpec option : List.copyOf(spec.options())) {
      String text = String.join(" ", option.description());
      boolean says = text.contains("Default") || !(option.initialValue() instanceof Number);
      String[] all =
          says ? option.description() : new String[] {text + " Default ${DEFAULT-VALUE}."};
      spec.remove(option); // all of them, for their order
      spec.addOption(OptionSpec.builder(option).description(all).build());
    }
    return new CommandLine.Help(spec, colors);
  }

  /** Has options take the constants of a type by their names in recipes. */
  private static <T> void register(CommandLine line, Class<T> type) {
    line.registerConverter(
        type,
        word -> {
          List<String> names = Arrays.stream(type.getEnumConstants()).map(Key::text).toList();
          int i = names.indexOf(word.toLowerCase(Locale.ROOT));
          if (i >= 0) return type.getEnumConstants()[i];
          String possible = String.join(", ", names);
          throw new TypeConversionException(
              "'" + word + "' is not possible; allowed is " + possible);
        });
  }

  /** Runs what is asked for; with {@code --help}, too, a command must be one that there is. */
  private static int run(CommandLine.ParseResult parsed) {
    CommandLine last = parsed.asCommandLineList().getLast();
    List<String> unknown = last.getUnmatchedArguments();
    if (!unknown.isEmpty() && !last.getSubcommands().isEmpty()) {
      throw new UnmatchedArgumentException(last, unknown);
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  /** Refuses an empty argument, as a variable of the shell is that is not set. */
  private static String given(String word) {
    if (!word.isEmpty()) return word;
    throw new TypeConversionException(Failures.EMPTY);
  }

  private static String name(Class<?> command) {
    return command.getAnnotation(Command.class).name();
  }

  /** Runs one command and returns its exit code. */
  static int execute(Writer out, Writer err, String... args) {
    Output results = new Output(out);
    CommandLine line = new CommandLine(new SlimVox());
    // All of them are a third of a start: they are made only where none of these is asked for.
    String first = args.length == 0 ? "" : args[0];
    COMMANDS.stream().filter(c -> name(c).equals(first)).forEach(line::addSubcommand);
    if (line.getSubcommands().isEmpty()) {
      COMMANDS.forEach(line::addSubcommand);
      line.addSubcommand(Bench.withBenches()).addSubcommand(new InfoCommand());
      ServiceLoader.load(StudyCommand.class).forEach(line::addSubcommand);
    }
    complete(line);
    line.registerConverter(String.class, SlimVox::given);
    line.registerConverter(Path.class, word -> Path.of(given(word)));
    line.setOut(new PrintWriter(results, true));
    line.setErr(new PrintWriter(new Output(err), true));
    line.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
    line.setHelpFactory(SlimVox::help);
    line.setExecutionStrategy(SlimVox::run);
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
