package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What somebody does in a real JupyterLab in Chromium. Pictures of it are in {@code
 * lib/target/screenshots}.
 */
@Tag("notebook")
class LabIT {
  @TempDir Path folder;

  @Test
  void aNotebookRunsInJupyterLab() throws Exception {
    try (Lab lab = new Lab(folder);
        Lab.Tab tab = lab.open(Path.of("tests/data/notebook/everything.ipynb"))) {
      Browser browser = tab.browser;
      tab.command("notebook:run-all-cells");
      Set<String> progress = new TreeSet<>();
      Browser.await(
          "the last cell",
          Lab.LIMIT,
          () -> {
            tab.text().lines().filter(l -> l.startsWith("step ")).forEach(progress::add);
            return tab.text().contains("done at size smoke");
          });
      assertTrue(progress.size() >= 2, "the live panel did not move: " + progress);
      Browser.await(
          "two interactive figures",
          Duration.ofSeconds(60),
          () ->
              browser.isTrue(
                  "document.querySelectorAll('.js-plotly-plot .cartesianlayer').length === 2"));
      assertEquals(
          "none,none",
          browser
              .evaluate(
                  "[...document.querySelectorAll('.slimvox-drawn + .jp-OutputArea-child')]"
                      + ".map(e => getComputedStyle(e).display).join()")
              .asText(),
          "figures that hide their picture");
      assertTrue(tab.text().contains("step 40 of 40"), tab.text());
      assertTrue(tab.text().contains("12.3 MiB"), tab.text());
      assertFalse(browser.isTrue("document.querySelector('[data-mime-type$=\".stderr\"]')"));
      assertFalse(browser.isTrue("document.querySelector('[data-mime-type$=\".error\"]')"));
      assertEquals("", tab.fetched(), "what was fetched from elsewhere");
      assertEquals(List.of(), browser.problems());
      looks(tab);
    }
  }

  private static void looks(Lab.Tab tab) throws Exception {
    tab.picture("light");
    String light = ink(tab);
    tab.browser.evaluate(
        "jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})");
    Browser.await(
        "the dark theme",
        Lab.LIMIT,
        () -> tab.browser.isTrue("document.body.dataset.jpThemeLight === 'false'"));
    Browser.await(
        "figures in the ink of the dark theme",
        Duration.ofSeconds(60),
        () -> !ink(tab).equals(light) && labels(tab).equals(ink(tab)));
    tab.picture("dark");
    tab.browser.evaluate(
        "jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})");
    tab.browser.size(640, 1600);
    Thread.sleep(1000);
    tab.picture("narrow");
    assertEquals(light, labels(tab));
    assertEquals("", wider(tab, ".js-plotly-plot"), "tables scroll in their places");
    String ticks =
        """
        [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
          const boxes = [...plot.querySelectorAll('.xtick text')]
            .filter(t => t.style.visibility !== 'hidden')
            .map(t => t.getBoundingClientRect()).sort((a, b) => a.left - b.left);
          const overlap = boxes.some((b, i) => i > 0 && b.left < boxes[i - 1].right);
          return boxes.length < 2 ? 'too few' : overlap ? 'overlap' : 'apart';
        }).join()
        """;
    assertEquals("apart,apart", tab.browser.evaluate(ticks).asText(), "labels of ticks");
    tab.browser.size(1000, 1400); // A4
    tab.browser.medium("print");
    Thread.sleep(1000);
    tab.picture("print");
    assertEquals("", wider(tab, ".cm-scroller, .jp-OutputArea-output *"), "cut on paper");
  }

  /** What of these, or of the page, is wider than its place. */
  private static String wider(Lab.Tab tab, String selector) throws Exception {
    return tab.browser
        .evaluate(
            "[document.documentElement, ...document.querySelectorAll('%s')]".formatted(selector)
                + ".filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth)"
                + ".map(e => e.className + ' ' + e.scrollWidth + ' > ' + e.clientWidth).join()")
        .asText();
  }

  /** The theme's colour of text, as red, green and blue. */
  private static String ink(Lab.Tab tab) throws Exception {
    return tab.browser
        .evaluate(
            """
            (() => {
              const probe = document.createElement('span');
              probe.style.color = 'var(--jp-ui-font-color1)';
              document.body.append(probe);
              const colour = getComputedStyle(probe).color;
              probe.remove();
              return colour.match(/\\d+/g).slice(0, 3).join();
            })()
            """)
        .asText();
  }

  /** The colours of all labels of axes. */
  private static String labels(Lab.Tab tab) throws Exception {
    return tab.browser
        .evaluate(
            """
            [...new Set([...document.querySelectorAll('.js-plotly-plot .xtick text')]
              .map(t => getComputedStyle(t).fill.match(/\\d+/g).slice(0, 3).join()))].join('; ')
            """)
        .asText();
  }

  @Test
  void aStoredNotebookIsReadBeforeAnythingRan() throws Exception {
    try (Lab lab = new Lab(folder);
        Lab.Tab tab = lab.open(Path.of("notebooks/00-quick-start.ipynb"))) {
      tab.await("Quick start");
      Browser.await(
          "the stored pictures",
          Lab.LIMIT,
          () ->
              tab.browser.isTrue(
                  "(p => p.length >= 3 && p.every(i => i.complete && i.naturalWidth > 0))"
                      + "([...document.querySelectorAll('.jp-RenderedImage img')])"));
      assertFalse(tab.browser.isTrue("window.slimvoxFigures"), "the figures' script ran");
      assertFalse(tab.browser.isTrue("document.querySelector('.js-plotly-plot')"), "drawn");
      tab.browser.evaluate("document.querySelectorAll('.jp-RenderedImage')[1].scrollIntoView()");
      tab.picture("untrusted");
      tab.trust();
      Browser.await(
          "the figures of a trusted notebook",
          Lab.LIMIT,
          () -> tab.browser.isTrue("document.querySelector('.slimvox-drawn .js-plotly-plot')"));
      assertEquals(List.of(), tab.browser.problems());
    }
  }

  @Test
  void aRunIsStoppedAndGoesOnWithoutItsTab() throws Exception {
    Path notebook = Path.of("tests/data/notebook/training.ipynb");
    try (Lab lab = new Lab(folder)) {
      try (Lab.Tab tab = lab.open(notebook)) {
        tab.command("notebook:run-all-cells");
        tab.await("step 1\\d of 40");
        tab.picture("running");
        tab.command("notebook:interrupt-kernel");
        tab.await("stopped at step 1\\d of 40");
        tab.await("run the cell again to go on");
        tab.picture("stopped");
        assertFalse(tab.text().contains("the last cell: 1"), "cells ran after the stop");
        tab.run(2);
        tab.run(3);
        tab.await("step 2\\d of 40");
        assertEquals(List.of(), otherProblems(tab.browser));
      }
      Thread.sleep(15_000); // nobody looks
      try (Lab.Tab tab = lab.open(notebook)) {
        tab.await("step 40 of 40, [\\d:]+, finished");
        tab.await("the last cell: 40");
        assertTrue(tab.text().contains("best "), tab.text());
        tab.picture("reopened");
        tab.run(2);
        tab.await("finished already at step 40");
        tab.picture("finished");
        tab.run(4);
        tab.await("run.batsh");
        tab.picture("error");
        tab.type(4, "Recipe.shipped(\"quick-start\", \"optimizer.lear");
        tab.command("completer:invoke-notebook");
        awaitShown(tab, ".jp-Completer", "optimizer.learningRate");
        tab.picture("completion");
        tab.type(4, "Trainer.of(");
        tab.command("tooltip:launch-notebook");
        awaitShown(tab, ".jp-Tooltip", "leaves nothing on disk");
        tab.picture("help");
        assertEquals(List.of(), otherProblems(tab.browser));
      }
    }
  }

  /** Without those by which the server says that a cell has failed or was not run. */
  private static List<String> otherProblems(Browser browser) {
    return browser.problems().stream()
        .filter(p -> !p.contains("/requests/") && !p.contains("Invalid response: 500"))
        .toList();
  }

  private static void awaitShown(Lab.Tab tab, String place, String text) throws Exception {
    Browser.await(
        text,
        Lab.LIMIT,
        () ->
            tab.browser.isTrue(
                "document.querySelector('%s')?.innerText.includes('%s')".formatted(place, text)));
  }
}
