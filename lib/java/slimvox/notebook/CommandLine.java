package slimvox.notebook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs {@code lib/bin/slimvox} in a process of its own: what a step needs and takes can only be
 * measured where nothing else has run before.
 */
public final class CommandLine {
  private CommandLine() {}

  /**
   * Runs a command and reads its result, for example {@code json("bench", "step",
   * "--model=ResNet34")}.
   *
   * @throws IllegalStateException with the command's own message if it fails
   */
  public static JsonNode json(String... arguments) throws InterruptedException {
    List<String> command = new ArrayList<>(List.of(launcher().toString()));
    command.addAll(List.of(arguments));
    command.add("--json");
    try {
      Path errors = Files.createTempFile("slimvox", ".txt");
      try {
        return run(command, errors);
      } finally {
        Files.deleteIfExists(errors);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode run(List<String> command, Path errors)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
    // The JVM of this process; without options of the user, which change what is measured.
    builder.environment().put("SLIMVOX_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().keySet().removeAll(List.of("SLIMVOX_JVM_OPTS", "SLIMVOX_XMX"));
    Process process = builder.start();
    try {
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IllegalStateException(
            String.join(" ", command) + ": " + Files.readString(errors).strip());
      }
      return new ObjectMapper().readTree(out.substring(out.stripTrailing().lastIndexOf('\n') + 1));
    } finally {
      process.destroy();
    }
  }

  /** The script beside the folder {@code lib/target} that these classes come from. */
  private static Path launcher() {
    try {
      Path own =
          Path.of(CommandLine.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return own.resolve("../../bin/slimvox").normalize();
    } catch (URISyntaxException e) {
      throw new IllegalStateException("cannot find lib/bin/slimvox: " + e.getMessage(), e);
    }
  }
}
