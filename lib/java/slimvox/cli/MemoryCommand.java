package slimvox.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backends;
import slimvox.backend.Device;
import slimvox.memory.ArenaPlan;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.models.Models;
import slimvox.recipe.Recipe;
import slimvox.report.Rows;
import slimvox.report.SchemeTable;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryFit;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/** Prices a training step: no arithmetic, only shapes and the ledger. */
@Command(
    name = "memory",
    description = {
      "Say what memory a training step takes, without running it.",
      "With --budget: fail if the step needs more than that, for example 11GB (11 x 10^9 bytes) or"
          + " 11GiB (what a card of 11 GB has); say the largest batch and the deepest model that"
          + " fit, and what is in the way."
    },
    customSynopsis = {
      "slimvox memory RECIPE [--set KEY=VALUE ...] [options]",
      "       slimvox memory --model MODEL [options]"
    })
final class MemoryCommand extends Subcommand {
  enum Workspace {
    NONE,
    CPU,
    CUDA,
    CUDNN
  }

  private static final List<String> SCHEME_OPTIONS =
      List.of(
          "--reversible", "--recompute", "--slice", "--rebuild", "--keep", "--lean", "--timeline");

  @Mixin private StepOptions options;

  @Option(
      names = "--compare",
      description =
          "Compare the ways to train the network: vanilla, checkpoint per block, type I and II,"
              + " plain and lean.")
  private boolean compare;

  private static final String NOT_COUNTED =
      "The driver's context and its graph of a step (run.graph) are not counted: a dry run cannot"
          + " know them.\n";

  @Option(
      names = "--timeline",
      paramLabel = "FILE.csv",
      description =
          "Write every allocation and release of the step, with its place in the planned arena.")
  private Path timeline;

  @Option(
      names = "--workspace",
      paramLabel = "OF",
      description =
          "cpu: count the scratch memory that oneDNN asks for on this machine too; cuda: that of"
              + " cuBLAS and our kernels on a card, which need not be there; cudnn: on a card with"
              + " cuDNN, the most that it is allowed for each convolution; or none. Default none.")
  private Workspace workspace = Workspace.NONE;

  MemoryCommand() {
    super("model.", "optimizer.", "run.precision", "run.memoryBudget");
  }

  @Override
  public Integer call() {
    StepOptions.Step step = options.read(this, compare);
    if (timeline != null) requireCsv(timeline);
    MemoryBudget limit = hasBudget() ? step.recipe().run().budget() : MemoryBudget.UNLIMITED;
    try (Device device = workspaces(step.recipe())) {
      return run(step, limit, device);
    }
  }

  /** Only of the option: a recipe's own budget is for its run. */
  private boolean hasBudget() {
    return flags.isGiven("--budget");
  }

  /** The device whose workspaces are counted; null for none. */
  private Device workspaces(Recipe recipe) {
    return workspace == Workspace.NONE
        ? null
        : Backends.workspaces(workspace.name().toLowerCase(Locale.ROOT), recipe.run().mathMode());
  }

  private int run(StepOptions.Step step, MemoryBudget limit, Device workspaces) {
    MemoryAnalysis analysis =
        new MemoryAnalysis(step.builder(), step.update(), step.frames(), workspaces, 0);
    if (compare) {
      for (String option : SCHEME_OPTIONS) {
        if (flags.isGiven(option)) {
          throw usage("--compare goes through all ways to train; leave out " + option);
        }
      }
      compare(analysis, step, limit);
      return 0;
    }
    MemoryFit fit = hasBudget() ? analysis.fit(step.model(), step.batch(), limit) : null;
    StepMemory memory = fit == null ? analysis.price(step.model(), step.batch()) : fit.asked();
    if (timeline != null) writeTimeline(timeline, memory);
    report(step, memory, fit);
    if (fit != null) fit.require(MemoryScheme::options);
    return 0;
  }

  private void compare(MemoryAnalysis analysis, StepOptions.Step step, MemoryBudget limit) {
    SchemeTable table = SchemeTable.of(analysis, step.model(), step.batch(), limit);
    Values values = described(step);
    values.put("budget_bytes", hasBudget() ? limit.bytes() : null);
    if (json) values.put("compare", table.json());
    result(headLine(values) + "\n\n" + table.text() + remark(), values);
  }

  /** What was asked for, under the keys that scripts rely on. */
  private Values described(StepOptions.Step step) {
    Values values = new Values();
    step.put(values, "model", "width", "bins", "embedding_size", "pooling");
    values.put("batch", step.batch());
    values.put("frames", step.frames());
    values.put("classes", step.classes());
    step.put(values, "optimizer", "update", "state_bits", "state_block");
    step.put(values, "precision");
    values.put("workspace_of", Key.of(workspace));
    return values;
  }

  private static String headLine(Values values) {
    String classes = values.get("classes").equals(0) ? "no classifier" : "{classes:%,d} classes";
    return values.text(
        "{model}, {width} channels; batch {batch} x {frames} frames, {optimizer}, " + classes);
  }

  private String remark() {
    return switch (workspace) {
      case NONE ->
          "The backend's own workspaces are not counted (--workspace cpu, cuda or cudnn counts"
              + " them).\n";
      case CPU -> "";
      case CUDA ->
          "Without cuDNN: where it is found on a card, its workspaces come on top (--workspace"
              + " cudnn has the most that they may be). "
              + NOT_COUNTED;
      case CUDNN ->
          "With the most that cuDNN is allowed for a convolution (SLIMVOX_CUDNN); what it takes is"
              + " known on the card. "
              + NOT_COUNTED;
    };
  }

  private void report(StepOptions.Step step, StepMemory memory, MemoryFit fit) {
    MemoryReport report = memory.report();
    Values values = described(step);
    step.put(values, StepOptions.SAVING);
    values.put("parameters", memory.parameters());
    values.put("total_peak_bytes", report.totalPeak());
    values.put("kept_for_backward_bytes", memory.keptForBackwardBytes());
    values.put("peak", report.atTotalPeak());
    values.put("category_peaks", report.peak());
    values.put("now", report.now());
    long arena = memory.plan().bytes();
    long live = memory.plan().liveBytes();
    values.put("arena_bytes", arena);
    values.put("live_bytes", live);
    String text = headLine(values) + values.text("; {parameters:%,d} parameters\n\n");
    text += report;
    text +=
        values.text(
            "\n{kept_for_backward_bytes:%,.2f MiB} are kept for backward; the planned arena has"
                + " {arena_bytes:%,.2f MiB}, "
                + (arena == live
                    ? "proved least for this order of operations: so many are alive at one time"
                    : "{live_bytes:%,.2f MiB} are alive at one time: no plan has less")
                + ".\n");
    if (fit != null) text += budgetLines(fit, values);
    result(text + remark(), values);
  }

  /** Lines of text; the same is put into {@code values}. */
  private static String budgetLines(MemoryFit fit, Values values) {
    values.put("budget_bytes", fit.budget().bytes());
    values.put("needed_bytes", fit.asked().neededBytes());
    values.put("fits", fit.fits());
    values.put("largest_batch", fit.largestBatch());
    values.put("deepest_model", fit.deepestModel());
    values.put("in_the_way", fit.inTheWay().key());
    values.put("would_fit_with", fit.helps() == null ? null : fit.helps().options());
    return String.format(
        Locale.ROOT,
        """

        budget %s: the step %s, it needs %s
        the largest batch that fits: %s
        the deepest %s that fits with batch %d: %s
        in the way: %s, %.0f %% of what %s needs
        """,
        fit.budget(),
        fit.fits() ? "fits" : "does not fit",
        MemoryBudget.text(fit.asked().neededBytes()),
        fit.largestBatch() == 0 ? "none" : String.format(Locale.ROOT, "%,d", fit.largestBatch()),
        Models.familyName(fit.asked().model().name()),
        fit.asked().batch(),
        fit.deepestModel() == null ? "none" : fit.deepestModel(),
        fit.inTheWay().title(),
        100 * fit.obstacle().largestShare(),
        fit.largestBatch() == 0 ? "batch 1" : "the step");
  }

  /** Refuses other endings, before any work is done. */
  private static void requireCsv(Path file) {
    if (file.toString().toLowerCase(Locale.ROOT).endsWith(".csv")) return;
    throw new InputException(file + ": a timeline is written as .csv; change the ending");
  }

  /** An event by its number from 1, and its buffer's place in the arena. */
  private record Line(int number, MemoryLedger.Event event, Long offset) {}

  /** Writes the events of a step with the places of its plan. */
  private static void writeTimeline(Path file, StepMemory memory) {
    List<Line> lines = new ArrayList<>();
    Map<Long, Long> offsets = new HashMap<>();
    Iterator<ArenaPlan.Slot> slots = memory.plan().slots().iterator();
    for (MemoryLedger.Event e : memory.events()) {
      if (e.allocation()) offsets.put(e.id(), slots.next().offset());
      lines.add(new Line(lines.size() + 1, e, offsets.get(e.id())));
    }
    String table =
        Rows.of(lines)
            .column("event", Line::number)
            .column("change", l -> l.event.allocation() ? "allocated" : "released")
            .column("category", l -> l.event.category().key())
            .column("label", l -> l.event.label())
            .column("bytes", l -> l.event.bytes())
            .column("total_bytes", l -> l.event.totalBytes())
            .column("arena_offset", Line::offset)
            .csv();
    AtomicFile.write(file, table);
  }
}
