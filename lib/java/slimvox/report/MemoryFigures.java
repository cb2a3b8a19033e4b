package slimvox.report;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.step.StepMemory;
import tech.tablesaw.api.Table;

/** Pictures and tables of a {@link MemoryLedger}. */
public final class MemoryFigures {
  private MemoryFigures() {}

  /** No timeline has more points: of more events, those with the highest totals are drawn. */
  private static final int MOST_POINTS = 250;

  /** The same where there are many timelines in a figure. */
  private static final int FEW_POINTS = 20;

  /** What comes and goes until backward ends. */
  private static final Set<Category> FLOWS =
      EnumSet.of(Category.ACTIVATION, Category.STATISTIC, Category.ACTIVATION_GRADIENT);

  private static final Pattern STAGE = Pattern.compile("(layer|stages\\.)(\\d+)\\..*");

  /**
   * Memory by category over one training step: event by event, in MiB, with forward, backward and
   * update marked and a tick with the number of a stage where it begins, but for events that begin
   * with a gradient: those are of a backward pass alone. Of a long step only some events are drawn,
   * with the highest total of each stretch among them; a category that nothing uses is left out.
   *
   * @param before bytes of each category that were in use before the first event
   */
  public static Figure timeline(
      String title, MemoryReport before, List<MemoryLedger.Event> events) {
    return timeline(title, before, events, used(before, events), MOST_POINTS);
  }

  /**
   * The timelines of steps, one of which is chosen: first all on the scale of the highest, then
   * each on its own.
   */
  public static Gallery timelines(String title, Map<String, StepMemory> steps) {
    Set<Category> used = EnumSet.noneOf(Category.class);
    for (StepMemory step : steps.values()) used.addAll(used(step.report(), step.events()));
    double highest =
        steps.values().stream().mapToDouble(s -> Bytes.mib(s.totalPeak())).max().orElseThrow();
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    for (boolean same : new boolean[] {true, false}) {
      steps.forEach(
          (name, step) -> {
            double top = same ? highest : Bytes.mib(step.totalPeak());
            String label = name + (same ? "" : ", its own scale");
            String message = "%s: %,.0f MiB at the peak, %s";
            String told =
                String.format(Locale.ROOT, message, label, Bytes.mib(step.totalPeak()), title);
            Figure figure = timeline(told, step.report(), step.events(), used, FEW_POINTS);
            labels.add(label);
            figures.add(figure.y(Axis.linear("MiB").range(0, 1.15 * top)));
          });
    }
    return Gallery.menu("way", labels, figures);
  }

  /**
   * When each activation and its gradient are there: a row for each buffer in the order of the
   * layers, a line from its allocation to its release. What is computed again has two lines.
   */
  public static Gallery lives(String title, Map<String, StepMemory> steps) {
    List<Figure> figures = new ArrayList<>();
    steps.forEach((name, step) -> figures.add(lives(title + ", " + name, step.events())));
    return Gallery.menu("way", List.copyOf(steps.keySet()), figures);
  }

  static Figure lives(String title, List<MemoryLedger.Event> events) {
    Map<String, Integer> rows = new LinkedHashMap<>();
    Map<String, Integer> begun = new HashMap<>();
    Map<Category, List<double[]>> lines = new EnumMap<>(Category.class);
    lines.put(Category.ACTIVATION, new ArrayList<>());
    lines.put(Category.ACTIVATION_GRADIENT, new ArrayList<>());
    for (int i = 0; i < events.size(); i++) {
      MemoryLedger.Event e = events.get(i);
      if (!lines.containsKey(e.category())) continue;
      String key = e.category() + " " + e.label();
      if (e.allocation()) {
        rows.putIfAbsent(layer(e.label()), -rows.size());
        begun.put(key, i);
      } else if (begun.containsKey(key)) {
        double row = rows.get(layer(e.label()));
        lines.get(e.category()).add(new double[] {begun.remove(key), i, row});
      }
    }
    double wait =
        lines.get(Category.ACTIVATION).stream()
            .mapToDouble(line -> line[1] - line[0])
            .average()
            .orElse(0);
    String message = "%s: an activation is there for %.0f %% of the step";
    Figure figure =
        Figure.of(String.format(Locale.ROOT, message, title, 100 * wait / events.size()));
    for (var line : lines.entrySet()) {
      figure =
          figure.stretches(
              line.getKey().title(),
              column(line.getValue(), 0),
              column(line.getValue(), 1),
              column(line.getValue(), 2));
    }
    return Phases.of(events)
        .mark(figure, events)
        .x("allocations and releases of one step")
        .y(stages(rows))
        .size(720, 460);
  }

  /** An axis with a tick in the first row of each stage. */
  private static Axis stages(Map<String, Integer> rows) {
    Map<String, Double> first = new LinkedHashMap<>();
    rows.forEach(
        (layer, row) -> {
          if (stage(layer) > 0) first.putIfAbsent("stage " + stage(layer), (double) row);
        });
    return Axis.linear("")
        .ticks(places(List.copyOf(first.values())), first.keySet().toArray(String[]::new));
  }

  private static double[] column(List<double[]> lines, int column) {
    return lines.stream().mapToDouble(line -> line[column]).toArray();
  }

  /** What an activation and its gradient are called: {@code layer1.0.conv1}. */
  private static String layer(String label) {
    return label.replaceFirst("\\.(out|din|negated)$", "");
  }

  private static Set<Category> used(MemoryReport before, List<MemoryLedger.Event> events) {
    Set<Category> used = EnumSet.noneOf(Category.class);
    before
        .now()
        .forEach(
            (category, bytes) -> {
              if (bytes > 0) used.add(category);
            });
    events.forEach(e -> used.add(e.category()));
    return used;
  }

  private static Figure timeline(
      String title,
      MemoryReport before,
      List<MemoryLedger.Event> events,
      Set<Category> used,
      int most) {
    int points = Math.min(events.size(), most);
    double[] x = new double[points + 1];
    Map<Category, double[]> mebibytes = new EnumMap<>(Category.class);
    Map<Category, Long> now = new EnumMap<>(before.now());
    for (Category c : used) mebibytes.put(c, new double[points + 1]);
    int[] drawn = highestOfEachStretch(events, points);
    int i = 0;
    for (int point = 0; point <= points; point++) {
      int end = point == 0 ? 0 : drawn[point - 1] + 1;
      for (; i < end; i++) {
        MemoryLedger.Event e = events.get(i);
        now.merge(e.category(), e.allocation() ? e.bytes() : -e.bytes(), Long::sum);
      }
      x[point] = end;
      for (Category c : used) mebibytes.get(c)[point] = rounded(now.get(c));
    }
    Figure figure = Figure.of(title).x("allocations and releases of one step").y("MiB");
    for (Category c : used) figure = figure.area(c.title(), x, mebibytes.get(c));
    boolean backwardOnly = before.now().getOrDefault(Category.ACTIVATION_GRADIENT, 0L) > 0;
    return backwardOnly ? figure : marked(figure, events);
  }

  /** Where backward begins and where it ends. */
  private record Phases(int backward, int update) {
    static Phases of(List<MemoryLedger.Event> events) {
      int backward = 0;
      while (backward < events.size()
          && events.get(backward).category() != Category.ACTIVATION_GRADIENT
          && events.get(backward).category() != Category.GRADIENT) {
        backward++;
      }
      int update = events.size();
      while (update > backward && !FLOWS.contains(events.get(update - 1).category())) update--;
      return new Phases(backward, update);
    }

    /** Marks forward, backward and update. */
    Figure mark(Figure figure, List<MemoryLedger.Event> events) {
      Figure marked = figure.span("forward", 0, backward).span("backward", backward, update);
      boolean moves =
          events.subList(update, events.size()).stream()
              .anyMatch(e -> e.category() == Category.GRADIENT);
      return moves ? marked.span("update", update, events.size()) : marked;
    }
  }

  /** The stage of a layer from 1; 0 for a layer of none. */
  private static int stage(String label) {
    Matcher stage = STAGE.matcher(label);
    if (!stage.matches()) return 0;
    return Integer.parseInt(stage.group(2)) + (stage.group(1).equals("layer") ? 0 : 1);
  }

  /** Marks forward, backward and update, and the places where a stage begins. */
  private static Figure marked(Figure figure, List<MemoryLedger.Event> events) {
    Phases phases = Phases.of(events);
    if (phases.backward == events.size()) return figure;
    List<Double> at = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    String stage = "";
    for (int i = 0; i < phases.update; i++) {
      int number = stage(events.get(i).label());
      if (number == 0 || !events.get(i).allocation()) continue;
      String now = number + (i < phases.backward ? "" : "'");
      if (!now.equals(stage)) {
        at.add((double) i);
        labels.add(Integer.toString(number));
      }
      stage = now;
    }
    Figure marked = phases.mark(figure, events);
    if (at.isEmpty() || at.size() > 10) return marked;
    return marked.x(
        Axis.linear("allocations and releases; n: stage n begins")
            .ticks(places(at), labels.toArray(String[]::new)));
  }

  private static double[] places(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** Cuts the events into stretches and takes the one with the highest total of each; the last. */
  private static int[] highestOfEachStretch(List<MemoryLedger.Event> events, int stretches) {
    int[] highest = new int[stretches];
    for (int s = 0; s < stretches; s++) {
      int from = (int) ((long) s * events.size() / stretches);
      int to = (int) ((long) (s + 1) * events.size() / stretches);
      highest[s] = from;
      for (int i = from; i < to; i++) {
        if (events.get(i).totalBytes() > events.get(highest[s]).totalBytes()) highest[s] = i;
      }
    }
    if (stretches > 0) highest[stretches - 1] = events.size() - 1;
    return highest;
  }

  /** A line of a table: of one category, or of all together. */
  private record Line(String name, long now, long atPeak) {}

  /** Bytes by category: now, and when the total was highest, with its share. */
  public static Table table(MemoryReport report) {
    List<Line> lines = new ArrayList<>();
    for (Category c : Category.values()) {
      lines.add(new Line(c.title(), report.now().get(c), report.atTotalPeak().get(c)));
    }
    lines.add(new Line("total", report.totalNow(), report.totalPeak()));
    return Rows.of(lines)
        .column("category", null, Line::name)
        .column("now (MiB)", "%,.2f", l -> Bytes.mib(l.now))
        .column("at the peak (MiB)", "%,.2f", l -> Bytes.mib(l.atPeak))
        .column("share", "%.1f %%", l -> 100.0 * l.atPeak / Math.max(1, report.totalPeak()))
        .table();
  }

  private static double rounded(long bytes) {
    return Math.round(Bytes.mib(bytes) * 100) / 100.0;
  }
}
