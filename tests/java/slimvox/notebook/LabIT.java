package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Opens a notebook in a real JupyterLab in Chromium and runs it there. */
@Tag("notebook")
class LabIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final String NOTEBOOK =
      "[...jupyterapp.shell.widgets('main')].find(w => w.sessionContext)";

  @TempDir Path folder;

  /** JupyterLab on {@code folder}, with settings of its own. */
  private Process lab(int port) throws Exception {
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
            .redirectOutput(folder.resolve("lab.log").toFile());
    var environment = builder.environment();
    environment.put("SLIMVOX_SIZE", "smoke");
    environment.put("JUPYTERLAB_SETTINGS_DIR", folder.resolve("settings").toString());
    environment.put("JUPYTERLAB_WORKSPACES_DIR", folder.resolve("workspaces").toString());
    environment.put("JUPYTER_CONFIG_DIR", folder.resolve("config").toString());
    environment.put("JUPYTER_RUNTIME_DIR", folder.resolve("runtime").toString());
    return builder.start();
  }

  @Test
  void aNotebookRunsInJupyterLab() throws Exception {
    Optional<Path> chromium = Browser.find();
    assumeTrue(chromium.isPresent(), "no Chromium is installed on this machine");
    Files.copy(Path.of("tests/data/notebook/everything.ipynb"), folder.resolve("everything.ipynb"));
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    Process lab = lab(port);
    try (Browser browser = new Browser(chromium.get(), folder)) {
      Path log = folder.resolve("lab.log");
      Browser.await(
          "JupyterLab",
          LIMIT,
          () -> {
            assertTrue(lab.isAlive(), () -> "JupyterLab ended: " + read(log));
            return read(log).contains("is running at");
          });
      try {
        browser.open("http://127.0.0.1:" + port + "/lab/tree/everything.ipynb?token=slimvox");
        Browser.await(
            "the kernel", // whose status is "unknown" until the first cell has run
            LIMIT,
            () ->
                browser.isTrue(
                    "['idle', 'unknown'].includes(window.jupyterapp && "
                        + NOTEBOOK
                        + "?.sessionContext?.session?.kernel?.status)"));
        assertEquals(
            "slimvox", browser.evaluate(NOTEBOOK + ".sessionContext.session.kernel.name").asText());
        runAll(browser);
        check(browser, port);
      } finally {
        browser.screenshot(Path.of("lib/target/jupyterlab.png"));
      }
    } finally {
      lab.destroy();
      if (!lab.waitFor(30, TimeUnit.SECONDS)) {
        lab.descendants().forEach(ProcessHandle::destroyForcibly);
        lab.destroyForcibly();
      }
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Runs all cells and sees the live panel move. */
  private static void runAll(Browser browser) throws Exception {
    browser.evaluate("void jupyterapp.shell.activateById(" + NOTEBOOK + ".id)");
    browser.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')");
    Set<String> progress = new TreeSet<>();
    Browser.await(
        "the last cell",
        LIMIT,
        () -> {
          JsonNode step =
              browser.evaluate(
                  "(document.querySelector('.jp-NotebookPanel')?.innerText"
                      + ".match(/step \\d+ of \\d+/) || [''])[0]");
          if (!step.asText().isEmpty()) progress.add(step.asText());
          return browser.isTrue(
              "document.querySelector('.jp-NotebookPanel').innerText"
                  + ".includes('done at size smoke')");
        });
    assertTrue(progress.size() >= 2, "the live panel did not move: " + progress);
  }

  private static void check(Browser browser, int port) throws Exception {
    Browser.await(
        "two interactive figures",
        Duration.ofSeconds(30),
        () ->
            browser.isTrue(
                "document.querySelectorAll('.js-plotly-plot .cartesianlayer').length === 2"));
    assertEquals(
        2,
        browser.evaluate("document.querySelectorAll('.slimvox-drawn').length").asInt(),
        "figures that hide their picture");
    assertEquals(
        "none,none",
        browser
            .evaluate(
                "[...document.querySelectorAll('.slimvox-drawn + .jp-OutputArea-child')]"
                    + ".map(e => getComputedStyle(e).display).join()")
            .asText());
    String text =
        browser.evaluate("document.querySelector('.jp-NotebookPanel').innerText").asText();
    assertTrue(text.contains("step 40 of 40"), text);
    assertTrue(text.contains("12.3 MiB"), text);
    assertEquals(
        0,
        browser
            .evaluate(
                "document.querySelectorAll('[data-mime-type=\"application/vnd.jupyter.stderr\"],"
                    + " [data-mime-type=\"application/vnd.jupyter.error\"]').length")
            .asInt(),
        text);
    assertEquals(
        "",
        browser
            .evaluate(
                "performance.getEntriesByType('resource').map(e => e.name)"
                    + ".filter(n => /^(http|ws)/.test(n) && !n.includes('//127.0.0.1:"
                    + port
                    + "/')).join()")
            .asText(),
        "what was fetched from elsewhere");
  }
}
