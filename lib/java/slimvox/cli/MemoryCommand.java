package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.ArenaPlan;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.models.ModelSpec;
import slimvox.train.TrainingStep;

/** Prices a training step: no arithmetic, only shapes and the ledger. */
@Command(
    name = "memory",
    description = "Say what memory a training step takes, without running it.",
    sortOptions = false)
final class MemoryCommand extends Subcommand {
  enum Workspace {
    NONE,
    CPU
  }

  @Mixin private ModelOptions model;
  @Mixin private StepOptions step;
  @Mixin private SavingOptions saving;

  @Option(
      names = "--budget",
      paramLabel = "SIZE",
      description = "Fail if the step needs more than this, for example 11GB.")
  private String budget;

  @Option(
      names = "--workspace",
      paramLabel = "OF",
      description =
          "none, or cpu: count the scratch memory that oneDNN asks for on this machine too."
              + " Default none.")
  private Workspace workspace = Workspace.NONE;

  @Override
  public Integer call() {
    ModelSpec spec = saving.apply(this, model.spec(this), step);
    float[] features = new float[step.featureCount(this, spec)];
    MemoryBudget limit = DeviceOptions.budget(budget);
    if (workspace == Workspace.NONE) {
      run(spec, features, new DryDevice(), limit);
    } else {
      try (Backend cpu = Backends.open("cpu", 0, MemoryBudget.UNLIMITED)) {
        run(spec, features, new DryDevice(cpu.device()), limit);
      }
    }
    return 0;
  }

  private void run(ModelSpec spec, float[] features, DryDevice device, MemoryBudget limit) {
    try (Backend backend = new Backend(device, new MemoryLedger(limit));
        TrainingStep training = step.build(spec, backend)) {
      MemoryLedger ledger = backend.ledger();
      ledger.startTimeline();
      training.run(features, new int[step.batch], 0, 0);
      List<MemoryLedger.Event> events = ledger.stopTimeline();
      report(spec, training, ledger.report(), ArenaPlan.of(events));
    }
  }

  private void report(ModelSpec spec, TrainingStep training, MemoryReport report, ArenaPlan plan) {
    long parameters = training.network().state().parameterCount();
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("model", spec.name());
    values.put("width", spec.width());
    values.put("bins", spec.bins());
    values.put("embedding_size", spec.embeddingSize());
    values.put("pooling", spec.pooling().key());
    values.put("batch", step.batch);
    values.put("frames", step.frames);
    values.put("classes", step.classes);
    values.put("optimizer", step.optimizer.name().toLowerCase(Locale.ROOT));
    values.put("update", step.update.key());
    step.state.put(values);
    values.put("workspace_of", workspace.name().toLowerCase(Locale.ROOT));
    values.put("parameters", parameters);
    values.put("total_peak_bytes", report.totalPeak());
    values.put("kept_for_backward_bytes", training.keptForBackwardBytes());
    values.put("peak", MemoryTable.atPeak(report));
    values.put("category_peaks", MemoryTable.peaks(report));
    values.put("now", MemoryTable.now(report));
    values.put("arena_bytes", plan.bytes());
    String text =
        String.format(
                Locale.ROOT,
                "%s, %d channels: %,d parameters; batch %d x %d frames, %s, %s%n%n",
                spec.name(),
                spec.width(),
                parameters,
                step.batch,
                step.frames,
                values.get("optimizer"),
                step.classes == 0 ? "no classifier" : "%,d classes".formatted(step.classes))
            + MemoryTable.text(report)
            + String.format(
                Locale.ROOT,
                "%n%,.2f MiB are kept for backward; the planned arena has %,.2f MiB.%n",
                MemoryTable.mib(training.keptForBackwardBytes()),
                MemoryTable.mib(plan.bytes()))
            + (workspace == Workspace.NONE
                ? "The backend's own workspaces are not counted (--workspace cpu counts them).\n"
                : "");
    result(text, values);
  }
}
