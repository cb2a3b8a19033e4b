package slimvox.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import slimvox.report.Values;
import slimvox.storage.InputException;

/** The options and the output that all commands share; {@code bench} finds its own as services. */
public abstract class Subcommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  /** The short options that are settings of recipes. */
  protected final DeclaredOptions flags;

  @Option(names = "--json", description = "Print the result as one JSON object, on the last line.")
  boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "Print the result only, no progress.")
  boolean quiet;

  @Option(names = "--debug", description = "Show the stack trace of a failure.")
  boolean debug;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  /** A command with the short options of the settings whose keys begin so. */
  protected Subcommand(String... settings) {
    flags = new DeclaredOptions(this, settings);
  }

  /** Prints a line that is not the result; nothing with {@code --quiet}. */
  protected void note(String text) {
    if (quiet) return;
    spec.commandLine().getOut().println(text);
    spec.commandLine().getOut().flush();
  }

  /** Prints the result: lines of text, or with {@code --json} one JSON object. */
  protected void result(String text, Values values) {
    spec.commandLine().getOut().println(json ? values.json() : text.stripTrailing());
    spec.commandLine().getOut().flush();
  }

  /** A mistake in how the command was called. */
  protected ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /**
   * Checks that a result is not written over what it is made of.
   *
   * @param what the input is, for the message; nothing is checked where {@code input} is null
   * @throws ParameterException if both are the same file
   */
  void apart(Path out, String what, Path input) {
    if (input == null) return;
    Path to = out.toAbsolutePath().normalize();
    Path from = input.toAbsolutePath().normalize();
    try {
      if (!Files.exists(to) || !Files.exists(from) || !Files.isSameFile(to, from)) return;
    } catch (IOException e) {
      throw new InputException(out + ": cannot be looked at: " + e.getMessage(), e);
    }
    throw usage("OUT " + out + " is " + what + " itself; give another name");
  }

  /** Refuses a file, and the name of one that is not there yet, for a folder of results. */
  protected void requireFolderName(Path out) {
    String file =
        "(?i).*\\.(safetensors?|txt|csv|json|ya?ml|np[yz]|h5|pth?|onnx|ark|scp|wav|flac|tar|zip)";
    if (Files.isRegularFile(out)) {
      throw InputException.at(out, "cannot be written (%s is not a folder)", out);
    }
    if (!out.toString().matches(file) || Files.exists(out)) return;
    throw usage(out + " would be a folder and is named like a file; make it first if it is meant");
  }

  /** Refuses an option's number that is outside the range. */
  protected void range(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw usage(option + " " + value + " is not possible; give " + least + " to " + most);
    }
  }
}
