package slimvox.notebook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A kernel in the folder of the lessons, asked through Jupyter's own client, see cells.py. */
final class Kernel implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Process client;
  private final Writer requests;
  private final BufferedReader replies;

  Kernel(String python) {
    String script = Path.of("tests/data/notebook/cells.py").toAbsolutePath().toString();
    try {
      client =
          new ProcessBuilder(python, script)
              .directory(Files.createDirectories(Path.of("work")).toFile())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    requests = client.outputWriter();
    replies = client.inputReader();
  }

  JsonNode run(String... cells) {
    return ask(Map.of("run", cells));
  }

  JsonNode ask(Map<String, ?> request) {
    send(request);
    return answer();
  }

  void send(Map<String, ?> request) {
    try {
      requests.write(JSON.writeValueAsString(request) + "\n");
      requests.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  JsonNode answer() {
    try {
      return JSON.readTree(replies.readLine());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    requests.close(); // the client ends its kernel then
    client.onExit().completeOnTimeout(client, 30, TimeUnit.SECONDS).join();
    client.descendants().forEach(ProcessHandle::destroyForcibly);
    client.destroyForcibly();
  }
}
