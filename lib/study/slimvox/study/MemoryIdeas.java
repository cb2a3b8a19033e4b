package slimvox.study;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.report.Bytes;
import slimvox.report.Rows;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import tech.tablesaw.api.Table;

/**
 * The factor by which type II, lean, needs less memory than a vanilla step, taken apart into its
 * ideas. What an idea brings depends on which others are there already, so each is given as the
 * first, as the last and as the geometric mean over all orders: the means of all ideas multiply to
 * the whole factor (Shapley's value of the logarithm; Shapley 1953, "A Value for n-Person Games").
 */
public final class MemoryIdeas {
  /** An idea; some need another one before them. */
  private enum Idea {
    REBUILD("rebuild normalizations"),
    UPDATE("update in backward"),
    RECOMPUTE("compute blocks again"),
    REVERSE("inputs from outputs"),
    SLICE("slices of channels");

    final String label;

    Idea(String label) {
      this.label = label;
    }

    boolean allowedAfter(Set<Idea> there) {
      return switch (this) {
        case REBUILD, UPDATE, RECOMPUTE -> true;
        case REVERSE -> there.contains(RECOMPUTE);
        case SLICE -> there.contains(REVERSE); // blocks in pre-activation order
      };
    }
  }

  private final MemoryAnalysis analysis;
  private final ModelSpec model;
  private final int batch;
  private final Map<Set<Idea>, Double> mebibytes = new HashMap<>();
  private final List<List<Idea>> orders = new ArrayList<>();

  private MemoryIdeas(MemoryAnalysis analysis, ModelSpec model, int batch) {
    this.analysis = analysis;
    this.model = model;
    this.batch = batch;
    order(new ArrayList<>());
  }

  /** Prices every combination of ideas. */
  public static MemoryIdeas of(MemoryAnalysis analysis, ModelSpec model, int batch) {
    return new MemoryIdeas(analysis, model, batch);
  }

  private void order(List<Idea> begun) {
    if (begun.size() == Idea.values().length) orders.add(List.copyOf(begun));
    for (Idea idea : Idea.values()) {
      Set<Idea> there = Set.copyOf(begun);
      if (there.contains(idea) || !idea.allowedAfter(there)) continue;
      begun.addLast(idea);
      order(begun);
      begun.removeLast();
    }
  }

  /** The peak of a step with these ideas in MiB. */
  private double mib(Set<Idea> ideas) {
    return mebibytes.computeIfAbsent(Set.copyOf(ideas), this::price);
  }

  private double price(Set<Idea> ideas) {
    MemoryScheme way =
        ideas.contains(Idea.REVERSE)
            ? MemoryScheme.TYPE_II
            : ideas.contains(Idea.RECOMPUTE) ? MemoryScheme.CHECKPOINT : MemoryScheme.VANILLA;
    UpdateTime update =
        ideas.contains(Idea.UPDATE) ? UpdateTime.IN_BACKWARD : UpdateTime.AFTER_BACKWARD;
    ModelSpec spec = way.apply(model);
    if (ideas.contains(Idea.SLICE)) spec = Models.lean(spec);
    spec = spec.with("rebuild=" + ideas.contains(Idea.REBUILD));
    var early =
        new MemoryAnalysis(
            analysis.builder(),
            update,
            analysis.frames(),
            analysis.workspacesOf(),
            analysis.readEvery());
    return Bytes.mib(early.price(spec, batch).totalPeak());
  }

  /** How many times less memory an idea brings where these are there. */
  private double timesLess(Idea idea, Set<Idea> there) {
    Set<Idea> after = EnumSet.of(idea);
    after.addAll(there);
    return mib(there) / mib(after);
  }

  /** The same in an order of ideas, for the idea at this place. */
  private double timesLess(List<Idea> order, int place) {
    return timesLess(order.get(place), Set.copyOf(order.subList(0, place)));
  }

  private double mean(Idea idea) {
    return Math.exp(
        orders.stream()
            .mapToDouble(order -> Math.log(timesLess(order, order.indexOf(idea))))
            .average()
            .orElseThrow());
  }

  private Double first(Idea idea) {
    return idea.allowedAfter(Set.of()) ? timesLess(idea, Set.of()) : null;
  }

  /** Null for an idea that another one needs. */
  private Double last(Idea idea) {
    Set<Idea> others = EnumSet.complementOf(EnumSet.of(idea));
    boolean needed = others.stream().anyMatch(other -> !other.allowedAfter(others));
    return needed ? null : timesLess(idea, others);
  }

  /** How many times less all ideas together need. */
  public double timesLess() {
    return mib(Set.of()) / mib(EnumSet.allOf(Idea.class));
  }

  /** One row an idea, in times less memory; the last column of all rows multiplies to the whole. */
  public Table table() {
    return Rows.of(List.of(Idea.values()))
        .column("idea", null, idea -> idea.label)
        .column("alone (times less)", "%,.2f", this::first)
        .column("on top of all others", "%,.2f", this::last)
        .column("mean over the " + orders.size() + " orders", "%,.2f", this::mean)
        .table()
        .setName(
            String.format(
                Locale.ROOT,
                "%s, batch %d: %.1f times less, taken apart",
                model.name(),
                batch,
                timesLess()));
  }

  /** The way from vanilla down to lean, idea after idea, in three orders of which one is chosen. */
  public Gallery waterfalls() {
    Idea[][] orders = {
      {Idea.RECOMPUTE, Idea.REVERSE, Idea.SLICE, Idea.UPDATE, Idea.REBUILD},
      {Idea.RECOMPUTE, Idea.REVERSE, Idea.REBUILD, Idea.UPDATE, Idea.SLICE},
      {Idea.REBUILD, Idea.UPDATE, Idea.RECOMPUTE, Idea.REVERSE, Idea.SLICE}
    };
    return Gallery.menu(
        "order",
        List.of("slices before side tricks", "side tricks before slices", "side tricks first"),
        Arrays.stream(orders).map(List::of).map(this::waterfall).toList());
  }

  private Figure waterfall(List<Idea> order) {
    int n = order.size() + 1;
    double[] left = new double[n];
    double[] before = new double[n];
    double[] row = new double[n];
    String[] names = new String[n];
    List<String> factors = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      left[i] = mib(Set.copyOf(order.subList(0, i)));
      before[i] = left[Math.max(0, i - 1)];
      row[i] = n - i;
      names[i] = i == 0 ? MemoryScheme.VANILLA.label() : order.get(i - 1).label;
      if (i > 0) factors.add(String.format(Locale.ROOT, "%.1f", timesLess(order, i - 1)));
    }
    String title =
        String.format(
            Locale.ROOT, "%.1f times less = %s", timesLess(), String.join(" x ", factors));
    Figure figure =
        Figure.of(title)
            .dots("left", names, left)
            .stretches("saved", left, before, row)
            .x(Axis.log("MiB").range(left[n - 1] / 6, left[0] * 2));
    for (int i = 0; i < n; i++) {
      String text = String.format(Locale.ROOT, "%,.0f", left[i]);
      if (i > 0) text += ": " + factors.get(i - 1) + " x less";
      figure = figure.note(text, left[i], row[i] + 0.1);
    }
    return figure.size(720, 400);
  }
}
