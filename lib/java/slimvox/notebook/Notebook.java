package slimvox.notebook;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.Backends;
import slimvox.data.ShownProgress;
import slimvox.plot.PlotlyPage;
import slimvox.report.SettingsRows;
import slimvox.report.Tables;
import slimvox.storage.ProjectFolder;
import slimvox.storage.Provenance;
import slimvox.train.Trainer;

/**
 * What a notebook's cells call: checks, output, the notebook's size.
 *
 * <p>Everything that shows something returns nothing, because a kernel prints the value of a cell's
 * last expression. Outside a notebook the same calls print text to standard output.
 */
public final class Notebook {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";
  private static volatile Display display = new TextDisplay();

  private Notebook() {}

  /** From now on a kernel, which calls this when it starts, shows what cells show. */
  public static void shownBy(Display kernel) {
    display = kernel;
    ShownProgress.shownBy(CellProgress::new);
  }

  /** The outputs for the last expression of a cell, below one another, each in media types. */
  public static List<Map<String, String>> outputs(Object object) {
    return Views.of(object);
  }

  /**
   * Checks that the notebook runs in the SlimVox kernel and shows what it runs on. Every notebook's
   * first cell calls it.
   *
   * @throws IllegalStateException if the JDK or a flag of the kernel is missing, with what to do
   */
  public static void check() {
    int java = Runtime.version().feature();
    require(java >= 25, "this kernel runs Java " + java + ", SlimVox needs 25 or newer");
    require(
        ModuleLayer.boot().findModule(VECTOR_MODULE).isPresent(),
        "this kernel was started without --add-modules=" + VECTOR_MODULE);
    require(
        Notebook.class.getModule().isNativeAccessEnabled(),
        "this kernel was started without --enable-native-access=ALL-UNNAMED");
    require(
        jarIsOlderThanTheKernel(),
        "lib/target/slimvox-all.jar was built after this kernel had started; restart the kernel");
    Size size = size();
    String text =
        String.format(
            Locale.ROOT,
            "SlimVox %s | Java %s | %d processors, Java heap up to %,d MiB | size: %s%s",
            version(),
            Runtime.version(),
            Runtime.getRuntime().availableProcessors(),
            Runtime.getRuntime().maxMemory() >> 20,
            size == Size.SMOKE ? "smoke (what lessons say of numbers is of size default)" : size,
            display.kernel().isEmpty() ? "" : " | kernel: " + display.kernel());
    text += "\n" + backends();
    String html = Tables.escape(text).replace("\n", "<br>");
    display.show(Views.bundle(text, "text/html", PlotlyPage.script() + "<div>" + html + "</div>"));
  }

  /** The fastest backend this machine has, and why the faster ones are not used. */
  private static String backends() {
    StringBuilder reasons = new StringBuilder();
    for (Backends.Choice choice : Backends.choices()) {
      if (choice.usable()) {
        return "backend: %s (%s)%s".formatted(choice.name(), choice.description(), reasons);
      }
      reasons.append(" | not %s: %s".formatted(choice.name(), choice.description()));
    }
    throw new IllegalStateException("no backend can be used here" + reasons);
  }

  private static void require(boolean condition, String problem) {
    if (!condition) {
      throw new IllegalStateException(
          problem
              + ". Start JupyterLab with notebooks/lab and choose the kernel \"Java 25"
              + " (SlimVox)\".");
    }
  }

  private static boolean jarIsOlderThanTheKernel() {
    try {
      Path jar = ProjectFolder.code();
      long startedMs = ManagementFactory.getRuntimeMXBean().getStartTime();
      return Files.isDirectory(jar) || Files.getLastModifiedTime(jar).toMillis() < startedMs;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The version of the jar, or {@code "development"} where classes do not come from the jar. */
  public static String version() {
    return Provenance.version();
  }

  /**
   * How much work to do: {@code int steps = Notebook.size().pick(20, 400, 100_000)}.
   *
   * @throws IllegalArgumentException if SLIMVOX_SIZE names no size
   */
  public static Size size() {
    return Size.named(System.getenv("SLIMVOX_SIZE"));
  }

  /** Whether the notebook's stop button was pressed. Long loops test it and end. */
  public static boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }

  /**
   * Shows an object as a cell shows its last expression: tables (see {@link Tables} for how cells
   * are written) and figures, also Tablesaw's own, {@link slimvox.plot.Gallery}, networks layer by
   * layer, memory reports, recipes, a corpus or a waveform with its sound, arrays, and whatever
   * else by its {@code toString}.
   *
   * <p>A figure is shown twice: interactive, and as a picture for where no script runs, with a
   * sentence that says what is in it.
   */
  public static void show(Object object) {
    if (display.kernel().isEmpty()) {
      display.show(Views.of(object).getFirst());
    } else {
      Views.of(object).forEach(display::show);
    }
  }

  /**
   * Shows a run in the panel of {@link TrainingPanel}, drawn from its history: after its tab was
   * closed, in any later cell, as often as one likes.
   *
   * @throws IllegalStateException if the run has not begun
   */
  public static void follow(Trainer trainer) {
    if (trainer.history().start() == null) {
      throw new IllegalStateException("nothing to show yet: start with trainer.run(...)");
    }
    new TrainingPanel().draw(trainer.history());
  }

  /**
   * Shows the settings of recipes whose keys begin with a text, for example {@code optimizer.}:
   * key, default, what is possible, meaning; all with an empty one.
   */
  public static void settings(String prefix) {
    show(SettingsRows.of(prefix).table());
  }

  /** Shows a drawing. */
  public static void svg(String svg, String text) {
    display.show(Views.bundle(text, "image/svg+xml", svg));
  }

  /** Shows plain text. */
  public static void text(String text) {
    display.show(Map.of("text/plain", text));
  }

  /** Shows text in Markdown, for sentences with measured numbers in them. */
  public static void markdown(String markdown) {
    display.show(Views.bundle(markdown, "text/markdown", markdown));
  }

  static Display display() {
    return display;
  }
}
