package slimvox.notebook;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import slimvox.backend.Backends;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.plot.PlotlyPage;
import slimvox.report.Tables;
import slimvox.storage.Printable;
import tech.tablesaw.api.Table;

/**
 * What a notebook's cells call: checks, output, the notebook's size.
 *
 * <p>Everything that shows something returns nothing, because a kernel prints the value of a cell's
 * last expression. Outside a notebook the same calls print text to standard output.
 */
public final class Notebook {
  private static final Display DISPLAY = Display.find();
  private static final String VECTOR_MODULE = "jdk.incubator.vector";

  private Notebook() {}

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
            size,
            DISPLAY.kernel().isEmpty() ? "" : " | kernel: " + DISPLAY.kernel());
    text += "\n" + backends();
    String html = Tables.escape(text).replace("\n", "<br>");
    DISPLAY.show(bundle(text, "text/html", "<div>" + html + "</div>"));
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
      Path jar =
          Path.of(Notebook.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      long startedMs = ManagementFactory.getRuntimeMXBean().getStartTime();
      return Files.isDirectory(jar) || Files.getLastModifiedTime(jar).toMillis() < startedMs;
    } catch (IOException | URISyntaxException e) {
      throw new IllegalStateException("cannot find SlimVox's own jar: " + e.getMessage(), e);
    }
  }

  /** The version of the jar, or {@code "development"} where classes do not come from the jar. */
  public static String version() {
    String version = Notebook.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
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

  /** Shows a table; see {@link Tables} for how cells are written. */
  public static void show(Table table) {
    String name =
        table.name() == null || table.name().isBlank() ? "" : Printable.line(table.name()) + "\n";
    DISPLAY.show(bundle(name + Tables.text(table), "text/html", Tables.html(table)));
  }

  /** Shows a figure; see {@link #show(Gallery)}. */
  public static void show(Figure figure) {
    show(new Gallery("", false, List.of(""), List.of(figure)));
  }

  /**
   * Shows figures twice: interactive, and as a picture for where no script runs, with a sentence
   * that says what is in it. An interactive figure that is drawn hides the picture.
   */
  public static void show(Gallery gallery) {
    Figure figure = gallery.figures().getFirst();
    String id = "figure_" + UUID.randomUUID().toString().replace('-', '_');
    String caption = Printable.line(gallery.caption());
    String title = "figure: " + caption;
    if (DISPLAY.kernel().isEmpty()) {
      DISPLAY.show(Map.of("text/plain", title));
      return;
    }
    DISPLAY.show(bundle(title, "text/html", PlotlyPage.script() + gallery.html(id)));
    Map<String, String> picture =
        bundle(title, "image/png", Base64.getEncoder().encodeToString(gallery.png()));
    picture.put(KernelDisplay.PICTURE_WIDTH, Integer.toString(figure.width()));
    DISPLAY.show(picture);
    String small = "<div style=\"max-width:740px;font-size:90%%;opacity:.8\">%s</div>";
    html(small.formatted(Tables.escape(caption)), caption);
  }

  /**
   * Shows the value of a cell's last expression, if it is of a kind that has more to show than its
   * text; the kernel calls it.
   *
   * @return whether it was shown
   */
  public static boolean showValue(Object value) {
    switch (value) {
      case Table table -> show(table);
      case Figure figure -> show(figure);
      case Gallery gallery -> show(gallery);
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Shows a drawing. */
  public static void svg(String svg, String text) {
    DISPLAY.show(bundle(text, "image/svg+xml", svg));
  }

  /** Shows plain text. */
  public static void text(String text) {
    DISPLAY.show(Map.of("text/plain", text));
  }

  /** Shows text in Markdown, for sentences with measured numbers in them. */
  public static void markdown(String markdown) {
    DISPLAY.show(bundle(markdown, "text/markdown", markdown));
  }

  /**
   * Shows HTML.
   *
   * @param html the page fragment
   * @param text what is shown where HTML is not
   */
  public static void html(String html, String text) {
    DISPLAY.show(bundle(text, "text/html", html));
  }

  static Map<String, String> bundle(String text, String mediaType, String content) {
    Map<String, String> bundle = new LinkedHashMap<>();
    bundle.put("text/plain", text);
    bundle.put(mediaType, content);
    return bundle;
  }

  static Display display() {
    return DISPLAY;
  }
}
