package slimvox.notebook;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import slimvox.audio.Waveform;
import slimvox.data.Corpus;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.models.Network;
import slimvox.nn.Layer;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.nn.Stateful;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.plot.PlotlyPage;
import slimvox.recipe.Recipe;
import slimvox.report.MemoryFigures;
import slimvox.report.NetworkSummary;
import slimvox.report.Results;
import slimvox.report.Rows;
import slimvox.report.Tables;
import slimvox.step.StepMemory;
import slimvox.storage.InputException;
import slimvox.storage.Printable;
import tech.tablesaw.api.Table;

/**
 * What objects look like in a notebook, as the last expression of a cell and by {@link
 * Notebook#show}: outputs below one another, each in several media types with plain text among
 * them.
 */
final class Views {
  /** Of an array so many values at each end are written. */
  private static final int ENDS = 3;

  /** A network is shown as it takes an utterance of two seconds. */
  private static final int FRAMES = 200;

  /** So much of a recording can be heard: it is stored with the notebook. */
  private static final double SECONDS = 1.5;

  private static final String TABLESAW_FIGURE = "tech.tablesaw.plotly.components.Figure";

  private Views() {}

  /** The outputs for an object, at least one. */
  static List<Map<String, String>> of(Object object) {
    return switch (object) {
      case Figure figure -> figure(Gallery.of(figure));
      case Gallery gallery -> figure(gallery);
      default -> List.of(single(object));
    };
  }

  private static Map<String, String> single(Object object) {
    return switch (object) {
      case null -> text("null");
      case Table table -> table(table);
      case Results results -> table(results.table());
      case MemoryReport report -> table(MemoryFigures.table(report));
      case MemoryLedger ledger -> table(MemoryFigures.table(ledger.report()));
      case StepMemory step ->
          table(
              MemoryFigures.table(step.report())
                  .setName(step.toString().lines().findFirst().orElse("")));
      case Network network -> table(NetworkSummary.of(network, FRAMES));
      case StateDict state -> table(parameters(state.parameters().values(), state.toString()));
      case Layer layer -> table(layers(layer));
      case Recipe recipe -> preformatted(recipe.toString());
      case Corpus corpus -> corpus(corpus);
      case Waveform waveform -> sound(waveform.toString(), waveform);
      default -> other(object);
    };
  }

  private static Map<String, String> other(Object object) {
    Class<?> type = object.getClass();
    if (type.isArray()) return text(array(object));
    if (type.getName().equals(TABLESAW_FIGURE)) return tablesaw(object);
    try {
      boolean own = type.getMethod("toString").getDeclaringClass() != Object.class;
      String shown = own ? object.toString() : "an object of " + type.getTypeName();
      if (type.isRecord()) shown = shown.replaceAll("(, )?\\w+=null", "");
      return type.getName().startsWith("slimvox.") ? text(shown) : Map.of("text/plain", shown);
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException(e); // every class has it
    }
  }

  static Map<String, String> bundle(String text, String mediaType, String content) {
    Map<String, String> bundle = new LinkedHashMap<>();
    bundle.put("text/plain", text);
    bundle.put(mediaType, content);
    return bundle;
  }

  /** Lines of text, the same in HTML. */
  private static Map<String, String> text(String text) {
    return text.strip().indexOf('\n') < 0
        ? bundle(text, "text/html", "<div>" + Tables.escape(text) + "</div>")
        : preformatted(text);
  }

  private static Map<String, String> preformatted(String text) {
    return bundle(text, "text/html", "<pre>" + Tables.escape(text) + "</pre>");
  }

  private static Map<String, String> table(Table table) {
    String name =
        table.name() == null || table.name().isBlank() ? "" : Printable.line(table.name()) + "\n";
    return bundle(name + Tables.text(table), "text/html", Tables.html(table));
  }

  /** {@code float[256] 0.1200 -0.03000 ... 0.1000 0.3000; min -1.000, mean 0.01000, max 0.9000}. */
  static String array(Object array) {
    int length = Array.getLength(array);
    StringBuilder text = new StringBuilder();
    String type = array.getClass().getComponentType().getSimpleName();
    text.append(type.replaceFirst("(\\[])*$", "[" + length + "]$0"));
    for (int i = 0; i < length; i++) {
      if (i == ENDS && length > 2 * ENDS) {
        text.append(" ...");
        i = length - ENDS;
      }
      text.append(' ').append(value(Array.get(array, i)));
    }
    boolean numbers = array.getClass().getComponentType().isPrimitive();
    if (length == 0 || !numbers || !(Array.get(array, 0) instanceof Number)) return text.toString();
    DoubleSummaryStatistics all =
        IntStream.range(0, length).mapToDouble(i -> Array.getDouble(array, i)).summaryStatistics();
    return "%s; min %s, mean %s, max %s"
        .formatted(text, value(all.getMin()), value(all.getAverage()), value(all.getMax()));
  }

  private static String value(Object value) {
    if (value != null && value.getClass().isArray()) return "(" + array(value) + ")";
    boolean real = value instanceof Float || value instanceof Double;
    return real ? String.format(Locale.ROOT, "%.4g", value) : String.valueOf(value);
  }

  /** The parts of a layer, one row each; of one without parts its parameters. */
  private static Table layers(Layer layer) {
    List<? extends Stateful> parts = layer.parts();
    String kind = layer.getClass().getSimpleName();
    StateDict state = StateDict.of(layer);
    String title = kind + ": " + state;
    boolean leaves = parts.stream().noneMatch(Layer.class::isInstance);
    if (leaves) return parameters(state.parameters().values(), title);
    return Rows.of(parts)
        .column("kind", null, part -> part.getClass().getSimpleName())
        .column("of", null, Views::firstParameter)
        .column("parameters", "%,.0f", part -> (double) StateDict.of(part).parameterCount())
        .table()
        .setName(title);
  }

  private static String firstParameter(Stateful part) {
    return StateDict.of(part).parameters().keySet().stream().findFirst().orElse("");
  }

  private static Table parameters(Iterable<Parameter> parameters, String title) {
    List<Parameter> all = new ArrayList<>();
    parameters.forEach(all::add);
    return Rows.of(all)
        .column("parameter", null, Parameter::name)
        .column("shape", null, p -> p.value().shape().toString())
        .column("values", "%,.0f", p -> (double) p.value().size())
        .table()
        .setName(title);
  }

  private static Map<String, String> corpus(Corpus corpus) {
    try {
      String first = corpus.utterances().getFirst().id();
      return sound("%s; to hear: %s".formatted(corpus, first), corpus.sound(first));
    } catch (InputException e) {
      return text(corpus.toString()); // corpus.validate() says what cannot be read
    }
  }

  private static Map<String, String> sound(String text, Waveform waveform) {
    int samples = (int) Math.min(waveform.samples().length, SECONDS * waveform.sampleRate());
    Waveform part = new Waveform(Arrays.copyOf(waveform.samples(), samples), waveform.sampleRate());
    String label = Tables.escape(text);
    return bundle(
        text,
        "text/html",
        """
        <div>%s</div>
        <audio controls preload="metadata" aria-label="%s" \
        src="data:audio/wav;base64,%s"></audio>
        """
            .formatted(label, label, Base64.getEncoder().encodeToString(part.wav())));
  }

  /**
   * A figure twice: interactive, and as a picture for where no script runs, with a sentence that
   * says what is in it. An interactive figure that is drawn hides the picture.
   */
  private static List<Map<String, String>> figure(Gallery gallery) {
    String id = newId();
    String caption = Printable.line(gallery.caption());
    String title = "figure: " + Printable.line(gallery.figures().getFirst().title());
    Map<String, String> picture =
        bundle(
            "figure: " + caption, "image/png", Base64.getEncoder().encodeToString(gallery.png()));
    picture.put(Display.PICTURE_WIDTH, Integer.toString(gallery.figures().getFirst().width()));
    String small = "<div style=\"max-width:740px;font-size:90%%;opacity:.8\">%s</div>";
    return List.of(
        bundle(title, "text/html", PlotlyPage.script() + gallery.html(id)),
        picture,
        bundle(caption, "text/html", small.formatted(Tables.escape(caption))));
  }

  private static String newId() {
    return "figure_" + UUID.randomUUID().toString().replace('-', '_');
  }

  /** A figure of Tablesaw's, which comes with no class path of ours. */
  private static Map<String, String> tablesaw(Object figure) {
    String id = newId();
    String caption = "a figure of Tablesaw's, which is seen in a trusted notebook";
    try {
      String script =
          (String) figure.getClass().getMethod("asJavascript", String.class).invoke(figure, id);
      return bundle(
          caption, "text/html", PlotlyPage.script() + PlotlyPage.foreign(id, caption, script));
    } catch (InvocationTargetException | NoSuchMethodException | IllegalAccessException e) {
      throw new IllegalStateException("this version of Tablesaw has other figures: " + e, e);
    }
  }
}
