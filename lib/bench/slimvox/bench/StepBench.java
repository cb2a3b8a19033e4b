package slimvox.bench;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.cli.DeviceOptions;
import slimvox.cli.ModelOptions;
import slimvox.cli.SavingOptions;
import slimvox.cli.StepOptions;
import slimvox.cli.Subcommand;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.models.ModelSpec;
import slimvox.report.Bytes;
import slimvox.report.KernelTable;
import slimvox.report.MemoryTable;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;

/** Times training steps on random features in planned memory. */
@Command(
    name = "step",
    description = "Measure a training step: time and memory.",
    sortOptions = false)
public final class StepBench extends Subcommand {
  private static final int WARM_UP = 2;
  private static final double LEARNING_RATE = 1e-4; // small: random labels cannot be learnt

  @Mixin private ModelOptions model;
  @Mixin private StepOptions step;
  @Mixin private SavingOptions saving;
  @Mixin private DeviceOptions device;

  @Option(
      names = {"--runs", "--steps"},
      paramLabel = "K",
      description = "Steps that are measured, after " + WARM_UP + " to warm up. Default 10.")
  private int steps = 10;

  @Option(
      names = "--loss-every",
      paramLabel = "K",
      description =
          "Wait for the device once in K steps, as run.lossEvery does. Default 1: parts of the step"
              + " are then timed as well as the whole.")
  private int lossEvery = 1;

  @Option(
      names = "--compare-dry",
      description = "Also check that the dry backend foretold every event of the ledger.")
  private boolean compareDry;

  @Option(
      names = "--kernels",
      description =
          "Also time the kernels of one more step, each by itself, and say what they are for. Needs"
              + " a card.")
  private boolean kernels;

  /** One measured step; times in milliseconds. */
  private record Times(double forward, double backward, double optimizer, double whole) {}

  @Override
  public Integer call() {
    ModelSpec spec = saving.apply(this, model.spec(this), step);
    saving.requireReversible(this);
    int size = step.featureCount(this, spec);
    range("--runs", steps, 1, 1_000_000);
    range("--loss-every", lossEvery, 1, 10_000);
    SplittableRandom random = new SplittableRandom(1);
    float[] features = Noise.values(random, size, 1);
    int[] labels = new int[step.batch];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = step.classes == 0 ? 0 : random.nextInt(step.classes);
    }
    try (Backend backend = device.open(this)) {
      if (kernels && !backend.name().equals("cuda")) {
        throw usage("--kernels needs a card; this is backend " + backend.name());
      }
      long before = ResidentMemory.now();
      try (PlannedTraining training =
          new PlannedTraining(backend, backend.ledger().budget(), b -> step.build(spec, b))) {
        training.step().initialize(random);
        training.run(features, labels, 0.2, LEARNING_RATE);
        double firstStep = sinceStart();
        for (int i = 1; i < WARM_UP; i++) training.run(features, labels, 0.2, LEARNING_RATE);
        training.readEvery(lossEvery, step.batch);
        List<Times> times = new ArrayList<>();
        while (times.size() < steps) {
          int together = Math.min(lossEvery, steps - times.size());
          times.addAll(measure(training, features, labels, together));
        }
        long growth = before < 0 ? -1 : ResidentMemory.peak() - before;
        report(spec, backend, training, firstStep, times, growth, features, labels);
      }
    }
    return 0;
  }

  private static List<Times> measure(
      PlannedTraining training, float[] features, int[] labels, int together) {
    List<TrainingStep.Result> results = new ArrayList<>();
    double whole =
        Timing.once(
                () -> {
                  for (int i = 0; i < together; i++) {
                    training.queue(features, labels, 0.2, LEARNING_RATE, null);
                  }
                  results.addAll(training.results());
                })
            / together;
    return results.stream()
        .map(
            r ->
                new Times(
                    r.forwardNanos() / 1e6,
                    r.backwardNanos() / 1e6,
                    r.optimizerNanos() / 1e6,
                    whole))
        .toList();
  }

  private void report(
      ModelSpec spec,
      Backend backend,
      PlannedTraining training,
      double firstStep,
      List<Times> times,
      long growth,
      float[] features,
      int[] labels) {
    MemoryReport memory = backend.ledger().report();
    double whole = median(times, Times::whole);
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("model", spec.name());
    values.put("width", spec.width());
    values.put("batch", step.batch);
    values.put("frames", step.frames);
    values.put("classes", step.classes);
    values.put("optimizer", step.optimizer.name().toLowerCase(Locale.ROOT));
    values.put("update", step.update.key());
    saving.put(spec, values);
    step.state.put(values);
    values.put("backend", backend.name());
    values.put("device", backend.device().description());
    values.put("steps", steps);
    values.put("loss_every", lossEvery);
    values.put("first_step_after_s", firstStep);
    values.put("forward_ms", median(times, Times::forward));
    values.put("backward_ms", median(times, Times::backward));
    values.put("optimizer_ms", median(times, Times::optimizer));
    values.put("step_ms", whole);
    values.put("utterances_per_s", step.batch * 1000 / whole);
    values.put("parameters", training.step().network().state().parameterCount());
    values.put("kept_for_backward_bytes", training.step().keptForBackwardBytes());
    values.put("peak_bytes", memory.totalPeak());
    values.put("peak", MemoryTable.atPeak(memory));
    values.put("category_peaks", MemoryTable.peaks(memory));
    values.put("arena_bytes", training.plan(step.batch, step.frames).bytes());
    values.put("ledger_and_arena_bytes", backend.ledger().totalBytes() + backend.blockBytes());
    Map<String, Long> driver = backend.device().driverMemory();
    values.put("driver_memory", driver);
    values.put("driver_unexplained_percent", unexplained(driver));
    values.put("resident_growth_bytes", growth < 0 ? null : growth);
    if (compareDry) {
      values.put("dry_events", compareWithDry(backend, training, features, labels));
    }
    String table = "";
    if (kernels) {
      KernelTable measured = kernelTimes(backend, training, features, labels);
      measured.put(values);
      table = measured.text();
    }
    result(text(values, memory, backend) + table, values);
  }

  private static KernelTable kernelTimes(
      Backend backend, PlannedTraining training, float[] features, int[] labels) {
    backend.device().timeKernels();
    training.queue(features, labels, 0.2, LEARNING_RATE, null);
    KernelTable table = new KernelTable(backend.device().kernelTimes());
    training.results();
    return table;
  }

  /** Runs one more step and compares the ledger's events with those of the dry run. */
  private int compareWithDry(
      Backend backend, PlannedTraining training, float[] features, int[] labels) {
    List<MemoryLedger.Event> foretold = training.timeline(step.batch, step.frames);
    backend.ledger().startTimeline();
    training.run(features, labels, 0.2, LEARNING_RATE);
    List<MemoryLedger.Event> real = backend.ledger().stopTimeline();
    for (int i = 0; i < Math.max(real.size(), foretold.size()); i++) {
      String a = i < foretold.size() ? text(foretold.get(i)) : "nothing";
      String b = i < real.size() ? text(real.get(i)) : "nothing";
      if (!a.equals(b)) {
        throw new IllegalStateException(
            "event %d of the step: the dry run has %s, the backend %s".formatted(i, a, b));
      }
    }
    return real.size();
  }

  private static String text(MemoryLedger.Event event) {
    return event + " of " + event.totalBytes();
  }

  private static double median(List<Times> times, ToDoubleFunction<Times> part) {
    return Timing.of(times.stream().mapToDouble(part).toArray()).median();
  }

  /** Seconds from the start of the JVM. */
  private static double sinceStart() {
    return (System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime()) / 1e3;
  }

  /** How much more the driver counts than what was asked for and its own from the start. */
  private static Double unexplained(Map<String, Long> driver) {
    if (driver.isEmpty()) return null;
    double known = driver.get("blocks") + driver.get("context");
    return 100 * (driver.get("driver") - known) / driver.get("driver");
  }

  private static String text(Map<String, Long> driver) {
    if (driver.isEmpty()) return "";
    return String.format(
        Locale.ROOT,
        "%nthe driver counts %,.2f MiB: %,.2f MiB were asked for, %,.2f MiB are its own from the"
            + " start, %.2f %% unexplained%n",
        Bytes.mib(driver.get("driver")),
        Bytes.mib(driver.get("blocks")),
        Bytes.mib(driver.get("context")),
        unexplained(driver));
  }

  private String text(Map<String, Object> v, MemoryReport memory, Backend backend) {
    Object growth = v.get("resident_growth_bytes");
    return String.format(
            Locale.ROOT,
            """
            %s, %d channels, batch %d x %d frames, %s
            forward %.1f ms, backward %.1f ms, optimizer %.1f ms, step %.1f ms: %.2f utterances/s

            """,
            v.get("model"),
            v.get("width"),
            v.get("batch"),
            v.get("frames"),
            v.get("device"),
            v.get("forward_ms"),
            v.get("backward_ms"),
            v.get("optimizer_ms"),
            v.get("step_ms"),
            v.get("utterances_per_s"))
        + MemoryTable.text(memory)
        + text(backend.device().driverMemory())
        + String.format(
            Locale.ROOT,
            "%nplanned arena %,.2f MiB%s%s%n",
            Bytes.mib((Long) v.get("arena_bytes")),
            growth == null
                ? ""
                : String.format(
                    Locale.ROOT, ", the process grew by %,.2f MiB", Bytes.mib((Long) growth)),
            compareDry ? ", all " + v.get("dry_events") + " ledger events as foretold" : "");
  }
}
