package slimvox.notebook;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One run of a shell script of the project.
 *
 * @param status its exit status
 * @param output what it printed, standard output and standard error together
 */
record Script(int status, String output) {
  /** Runs a command in {@code folder} with more environment variables, for at most 30 minutes. */
  static Script run(Path folder, Map<String, String> environment, String... command) {
    try {
      Path log = Files.createTempFile("slimvox", ".log");
      ProcessBuilder builder =
          new ProcessBuilder(List.of(command))
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile());
      builder.environment().putAll(environment);
      Process process = builder.start();
      process.getOutputStream().close();
      if (!process.waitFor(30, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new IllegalStateException(
            "longer than 30 minutes: " + String.join(" ", command) + "\n" + Files.readString(log));
      }
      String output = Files.readString(log);
      Files.delete(log);
      return new Script(process.exitValue(), output);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
