package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** A JupyterLab of its own on a folder, at size smoke, as {@code notebooks/lab} starts it. */
final class Lab implements AutoCloseable {
  static final Duration LIMIT = Duration.ofMinutes(4);

  private static final String NOTEBOOK =
      "[...jupyterapp.shell.widgets('main')].find(w => w.sessionContext)";
  private static final String TEXT = "document.querySelector('.jp-NotebookPanel').innerText";

  private final Path chromium;
  private final Path folder;
  private final Path log;
  private final int port;
  private final Process process;

  Lab(Path folder) throws Exception {
    Optional<Path> found = Browser.find();
    assumeTrue(found.isPresent(), "no Chromium is installed on this machine");
    chromium = found.get();
    this.folder = folder;
    log = folder.resolve("lab.log");
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    process = start();
    Browser.await(
        "JupyterLab",
        LIMIT,
        () -> {
          assertTrue(process.isAlive(), () -> "JupyterLab ended: " + read(log));
          return read(log).contains("is running at");
        });
  }

  private Process start() throws IOException {
    Path images = Files.createDirectories(folder.resolve("images")); // that lessons show
    try (var files = Files.list(Path.of("notebooks/images"))) {
      for (Path file : files.toList()) Files.copy(file, images.resolve(file.getFileName()));
    }
    Path settings = folder.resolve("settings/@jupyterlab");
    Files.createDirectories(settings.resolve("apputils-extension"));
    Files.createDirectories(settings.resolve("notebook-extension"));
    Files.writeString(
        settings.resolve("apputils-extension/notification.jupyterlab-settings"),
        "{\"checkForUpdates\": false, \"fetchNews\": \"false\"}");
    // All cells are in the page, not only those one can see.
    Files.writeString(
        settings.resolve("notebook-extension/tracker.jupyterlab-settings"),
        "{\"windowingMode\": \"none\"}");
    ProcessBuilder builder =
        new ProcessBuilder(
                Path.of("notebooks/lab").toAbsolutePath().toString(),
                "--no-browser",
                "--port=" + port,
                "--ServerApp.port_retries=0",
                "--IdentityProvider.token=slimvox",
                "--ServerApp.root_dir=" + folder,
                "--expose-app-in-browser")
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    var environment = builder.environment();
    environment.put("SLIMVOX_SIZE", "smoke");
    environment.put("JUPYTERLAB_SETTINGS_DIR", folder.resolve("settings").toString());
    environment.put("JUPYTERLAB_WORKSPACES_DIR", folder.resolve("workspaces").toString());
    environment.put("JUPYTER_CONFIG_DIR", folder.resolve("config").toString());
    environment.put("JUPYTER_DATA_DIR", folder.resolve("data").toString());
    environment.put("JUPYTER_RUNTIME_DIR", folder.resolve("runtime").toString());
    return builder.start();
  }

  static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Copies a notebook into the folder and opens it in a new browser. */
  Tab open(Path notebook) throws Exception {
    Path copy = folder.resolve(notebook.getFileName());
    if (!Files.exists(copy)) Files.copy(notebook, copy);
    return new Tab(copy.getFileName().toString());
  }

  /** One browser that shows one notebook. */
  final class Tab implements AutoCloseable {
    final Browser browser = new Browser(chromium, folder);

    private Tab(String name) throws Exception {
      browser.size(1300, 1600);
      browser.open("http://127.0.0.1:" + port + "/lab/tree/" + name + "?reset&token=slimvox");
      Browser.await(
          "the kernel", // whose status is "unknown" until the first cell has run
          LIMIT,
          () ->
              browser.isTrue(
                  "['idle', 'busy', 'unknown'].includes(window.jupyterapp && "
                      + NOTEBOOK
                      + "?.sessionContext?.session?.kernel?.status)"));
      String kernel = NOTEBOOK + ".sessionContext.session.kernel.name";
      assertEquals("slimvox", browser.evaluate(kernel).asText());
      browser.evaluate("void jupyterapp.shell.activateById(" + NOTEBOOK + ".id)");
    }

    /** Does what a menu does; does not wait for it. */
    void command(String name) throws Exception {
      browser.evaluate("void jupyterapp.commands.execute('" + name + "')");
    }

    /** Runs one cell, from 0. */
    void run(int cell) throws Exception {
      browser.evaluate(NOTEBOOK + ".content.deselectAll()");
      browser.evaluate("void (" + NOTEBOOK + ".content.activeCellIndex = " + cell + ")");
      command("notebook:run-cell");
    }

    /** Replaces a cell's text and puts the cursor behind it. */
    void type(int cell, String text) throws Exception {
      browser.evaluate("void (" + NOTEBOOK + ".content.activeCellIndex = " + cell + ")");
      command("notebook:enter-edit-mode");
      String source = new ObjectMapper().writeValueAsString(text);
      browser.evaluate(
          """
          (() => {
            const editor = %s.content.activeCell.editor;
            editor.model.sharedModel.setSource(%s);
            editor.focus();
            editor.setCursorPosition(editor.getPositionAt(%d));
          })()
          """
              .formatted(NOTEBOOK, source, text.length()));
    }

    /** Does what File > Trust Notebook does, without asking. */
    void trust() throws Exception {
      browser.evaluate(
          "for (const cell of " + NOTEBOOK + ".content.model.cells) cell.trusted = true");
    }

    /** Ends the notebook's kernel. */
    void shutDown() throws Exception {
      browser.evaluate(NOTEBOOK + ".sessionContext.shutdown()");
    }

    String text() throws Exception {
      return browser.evaluate(TEXT).asText();
    }

    /** Waits until the notebook's text has a match of a regular expression. */
    void await(String expression) throws Exception {
      Browser.await(expression, LIMIT, () -> browser.isTrue(TEXT + ".match(/" + expression + "/)"));
    }

    /** Keeps a picture in {@code lib/target/screenshots}. */
    void picture(String name) throws Exception {
      browser.screenshot(Path.of("lib/target/screenshots", name + ".png"));
    }

    /** What the page fetched from another machine. */
    String fetched() throws Exception {
      String own = "//127.0.0.1:" + port + "/";
      return browser
          .evaluate(
              "performance.getEntriesByType('resource').map(e => e.name)"
                  + ".filter(n => /^(http|ws)/.test(n) && !n.includes('%s')).join()".formatted(own))
          .asText();
    }

    @Override
    public void close() {
      browser.close();
    }
  }

  @Override
  public void close() {
    Browser.end(process);
  }
}
