package slimvox.notebook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** One page of a headless Chromium, driven by the DevTools protocol. */
final class Browser implements AutoCloseable, WebSocket.Listener {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Process process;
  private final HttpClient http = HttpClient.newHttpClient();
  private final WebSocket socket;
  private final StringBuilder message = new StringBuilder();
  private final Map<Integer, CompletableFuture<JsonNode>> replies = new ConcurrentHashMap<>();
  private final List<String> problems = new CopyOnWriteArrayList<>();
  private int calls;

  /** Chromium's command on this machine, if it is installed. */
  static Optional<Path> find() {
    return Stream.of(System.getenv("PATH").split(":"))
        .flatMap(
            folder ->
                Stream.of("chromium", "chromium-browser", "google-chrome", "chrome")
                    .map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /** Starts a browser with a profile of its own in {@code folder}. */
  Browser(Path chromium, Path folder) throws Exception {
    Path profile = Files.createTempDirectory(folder, "profile");
    process =
        new ProcessBuilder(
                chromium.toString(),
                "--headless=new",
                "--no-sandbox", // it cannot make one as root, and opens this machine's pages only
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "--window-size=1300,3000",
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("chromium.log").toFile())
            .start();
    Path port = profile.resolve("DevToolsActivePort");
    await("Chromium", Duration.ofSeconds(60), () -> Files.exists(port) && Files.size(port) > 10);
    String address = "http://127.0.0.1:" + Files.readAllLines(port).getFirst() + "/json/list";
    String list =
        http.send(HttpRequest.newBuilder(URI.create(address)).build(), BodyHandlers.ofString())
            .body();
    String page = null;
    for (JsonNode target : JSON.readTree(list)) {
      if (target.get("type").asText().equals("page")) {
        page = target.get("webSocketDebuggerUrl").asText();
      }
    }
    socket = http.newWebSocketBuilder().buildAsync(URI.create(page), this).join();
    call("Runtime.enable", Map.of());
    call("Log.enable", Map.of());
  }

  /** What the page's console called an error. */
  List<String> problems() {
    return List.copyOf(problems);
  }

  /** A question whose answer may come later. */
  interface Question {
    boolean holds() throws Exception;
  }

  /** Waits until a question's answer is yes. */
  static void await(String what, Duration limit, Question question) throws Exception {
    long end = System.nanoTime() + limit.toNanos();
    while (!question.holds()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("after " + limit.toSeconds() + " s still waiting for: " + what);
      }
      Thread.sleep(200);
    }
  }

  @Override
  public CompletionStage<?> onText(WebSocket webSocket, CharSequence data, boolean last) {
    message.append(data);
    if (last) {
      try {
        JsonNode reply = JSON.readTree(message.toString());
        CompletableFuture<JsonNode> waiting = replies.remove(reply.path("id").asInt(-1));
        if (waiting != null) waiting.complete(reply);
        boolean problem =
            switch (reply.path("method").asText()) {
              case "Runtime.exceptionThrown" -> true;
              case "Runtime.consoleAPICalled" -> reply.at("/params/type").asText().equals("error");
              case "Log.entryAdded" -> reply.at("/params/entry/level").asText().equals("error");
              default -> false;
            };
        if (problem) problems.add(message.toString());
        message.setLength(0);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
    webSocket.request(1);
    return null;
  }

  private JsonNode call(String method, Map<String, ?> parameters) throws Exception {
    ObjectNode request = JSON.createObjectNode().put("id", ++calls).put("method", method);
    request.set("params", JSON.valueToTree(parameters));
    CompletableFuture<JsonNode> reply = new CompletableFuture<>();
    replies.put(calls, reply);
    socket.sendText(request.toString(), true).join();
    JsonNode answer = reply.get(60, TimeUnit.SECONDS);
    if (answer.has("error")) throw new IllegalStateException(method + ": " + answer.get("error"));
    return answer.get("result");
  }

  void open(String address) throws Exception {
    call("Page.navigate", Map.of("url", address));
  }

  /** The value of a JavaScript expression; a promise is waited for. */
  JsonNode evaluate(String expression) throws Exception {
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
    if (result.has("exceptionDetails")) {
      throw new IllegalStateException(expression + ": " + result.get("exceptionDetails"));
    }
    return result.at("/result/value");
  }

  boolean isTrue(String expression) throws Exception {
    return evaluate("!!(" + expression + ")").asBoolean();
  }

  /** The window's size in pixels. */
  void size(int width, int height) throws Exception {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
  }

  /** Shows the page as on {@code "screen"} or in {@code "print"}. */
  void medium(String medium) throws Exception {
    call("Emulation.setEmulatedMedia", Map.of("media", medium));
  }

  void screenshot(Path file) throws Exception {
    Files.createDirectories(file.getParent());
    String picture = call("Page.captureScreenshot", Map.of("format", "png")).get("data").asText();
    Files.write(file, Base64.getDecoder().decode(picture));
  }

  @Override
  public void close() {
    socket.abort();
    http.shutdownNow();
    end(process);
  }

  /** Ends a process and those that it started. */
  static void end(Process process) {
    process.destroy();
    process
        .onExit()
        .completeOnTimeout(process, 20, TimeUnit.SECONDS)
        .thenAccept(
            p -> {
              p.descendants().forEach(ProcessHandle::destroyForcibly);
              p.destroyForcibly();
            })
        .join();
  }
}
