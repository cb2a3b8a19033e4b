package slimvox.notebook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import slimvox.storage.ProjectFolder;

/**
 * Runs {@code lib/bin/slimvox} in a process of its own: what a step needs and takes can only be
 * measured where nothing else has run before.
 */
public final class CommandLine {
  private static final long PATIENCE_MS = 5_000;

  private CommandLine() {}

  /**
   * Runs a command and reads its result, for example {@code json("bench", "step",
   * "--model=ResNet34")}.
   *
   * @throws IllegalStateException with the command's own message if it fails
   * @throws InterruptedException if the cell was stopped; the command has ended then
   */
  public static JsonNode json(String... arguments) throws InterruptedException {
    Path launcher = ProjectFolder.code().resolve("../../bin/slimvox").normalize();
    List<String> command = new ArrayList<>(List.of(launcher.toString()));
    command.addAll(List.of(arguments));
    command.add("--json");
    return run(command, PATIENCE_MS);
  }

  static JsonNode run(List<String> command, long patienceMs) throws InterruptedException {
    try {
      Path out = Files.createTempFile("slimvox", ".json");
      Path errors = Files.createTempFile("slimvox", ".txt");
      try {
        return run(command, out, errors, patienceMs);
      } finally {
        Files.deleteIfExists(out);
        Files.deleteIfExists(errors);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode run(List<String> command, Path out, Path errors, long patienceMs)
      throws IOException, InterruptedException {
    // Into files: who reads a pipe cannot be interrupted.
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(errors.toFile());
    // The JVM of this process; without options of the user, which change what is measured.
    builder.environment().put("SLIMVOX_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().keySet().removeAll(List.of("SLIMVOX_JVM_OPTS", "SLIMVOX_XMX"));
    Process process = builder.start();
    try {
      if (process.waitFor() != 0) {
        throw new IllegalStateException(
            String.join(" ", command) + ": " + Files.readString(errors).strip());
      }
    } catch (InterruptedException e) {
      end(process, patienceMs);
      throw e;
    }
    String text = Files.readString(out).stripTrailing();
    return new ObjectMapper().readTree(text.substring(text.lastIndexOf('\n') + 1));
  }

  /** Ends a process and those that it started: they are asked to, and after a while made to. */
  private static void end(Process process, long patienceMs) {
    List<ProcessHandle> all = new ArrayList<>(List.of(process.toHandle()));
    process.descendants().forEach(all::add);
    all.forEach(ProcessHandle::destroy);
    try {
      CompletableFuture.allOf(
              all.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
          .get(patienceMs, TimeUnit.MILLISECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      process.descendants().forEach(all::add); // what was started since
      all.forEach(ProcessHandle::destroyForcibly);
      all.forEach(p -> p.onExit().join());
    }
  }
}
