package slimvox.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.cli.StepOptions;
import slimvox.cli.Subcommand;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.report.KernelTable;
import slimvox.report.Values;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;

/** Times training steps on random features in planned memory. */
@Command(
    name = "step",
    description = "Measure a training step: time and memory.",
    customSynopsis = {
      "slimvox bench step RECIPE [--set KEY=VALUE ...] [options]",
      "       slimvox bench step --model MODEL [options]"
    })
public final class StepBench extends Subcommand {
  private static final String TEXT =
      """
      {model}, {width} channels, batch {batch} x {frames} frames, {device}
      forward {forward_ms:%.1f} ms, backward {backward_ms:%.1f} ms, optimizer {optimizer_ms:%.1f} ms, \
      step {step_ms:%.1f} ms: {utterances_per_s:%.2f} utterances/s

      """;

  private static final int WARM_UP = 2;
  private static final double LEARNING_RATE = 1e-4; // small: random labels cannot be learnt

  @Mixin private StepOptions options;

  @Option(
      names = {"--runs", "--steps"},
      paramLabel = "K",
      description = "Steps that are measured, after " + WARM_UP + " to warm up.")
  private int steps = 10;

  @Option(
      names = "--loss-every",
      paramLabel = "K",
      description =
          "Wait for the device once in K steps, as run.lossEvery does. Default 1: parts of the step"
              + " are then timed as well as the whole.")
  private int lossEvery = 1;

  @Option(
      names = "--graph",
      description = "Give a card each step as one CUDA graph, as run.graph does.")
  private boolean graph;

  @Option(
      names = "--compare-dry",
      description = "Also check that the dry backend foretold every event of the ledger.")
  private boolean compareDry;

  @Option(
      names = "--kernels",
      description =
          "Also time the kernels of one more step, each by itself, and say what they are for.")
  private boolean kernels;

  private float[] features;
  private int[] labels;
  private PlannedTraining training;

  private StepOptions.Step step;

  /** The command; picocli fills in its options. */
  public StepBench() {
    super("model.", "optimizer.", "run.");
  }

  @Override
  public Integer call() {
    step = options.read(this);
    int size = step.batch() * step.frames() * step.model().bins();
    range("--runs", steps, 1, 1_000_000);
    range("--loss-every", lossEvery, 1, 10_000);
    if (graph && lossEvery == 1) {
      throw usage("--graph goes with --loss-every of 2 or more: it does not wait within a step");
    }
    SplittableRandom random = new SplittableRandom(1);
    features = Noise.values(random, size, 1);
    labels = new int[step.batch()];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = step.classes() == 0 ? 0 : random.nextInt(step.classes());
    }
    double command = sinceStart();
    try (Backend backend = open()) {
      double device = sinceStart();
      long before = residentBytes("VmRSS:");
      try (PlannedTraining planned =
          new PlannedTraining(backend, backend.ledger().budget(), step::build)) {
        training = planned;
        training.step().initialize(random);
        queue(1);
        double firstStep = sinceStart();
        Map<String, Long> afterFirst = backend.device().driverMemory();
        for (int i = 1; i < WARM_UP; i++) queue(1);
        if (graph) training.step().runAsOne();
        training.readEvery(lossEvery, step.batch());
        List<TrainingStep.Result> results = new ArrayList<>();
        double[] whole = new double[steps];
        while (results.size() < steps) {
          int done = results.size();
          int together = Math.min(lossEvery, steps - done);
          double ms = Timing.once(() -> results.addAll(queue(together))) / together;
          Arrays.fill(whole, done, done + together, ms);
        }
        Long growth = before < 0 ? null : residentBytes("VmHWM:") - before;
        report(
            backend,
            new Start(command, device, firstStep, afterFirst),
            results,
            Timing.of(whole).median(),
            growth);
      }
    }
    return 0;
  }

  private Backend open() {
    if (kernels && "dry".equals(flags.value("--backend"))) {
      throw usage("--kernels times what backend dry does not do");
    }
    Backend backend = flags.open(step.recipe());
    return !kernels || backend.device().queues() ? backend : TimedDevice.of(backend);
  }

  /**
   * When the parts of the start-up were done, in seconds from the start of the JVM.
   *
   * @param command arguments and inputs
   * @param device libraries and kernels
   * @param driverMemory what the driver counted behind the first step
   */
  private record Start(
      double command, double device, double firstStep, Map<String, Long> driverMemory) {}

  /** Runs some steps without waiting for the device between them. */
  private List<TrainingStep.Result> queue(int together) {
    for (int i = 0; i < together; i++) training.queue(features, labels, 0.2, LEARNING_RATE, null);
    return training.results();
  }

  private void report(
      Backend backend, Start start, List<TrainingStep.Result> results, double whole, Long growth) {
    MemoryReport memory = backend.ledger().report();
    Values values = new Values();
    step.put(values, "model", "width");
    values.put("batch", step.batch());
    values.put("frames", step.frames());
    values.put("classes", step.classes());
    step.put(values, "optimizer", "update");
    step.put(values, StepOptions.SAVING);
    step.put(values, "state_bits", "state_block");
    step.put(values, "precision");
    values.put("backend", backend.name());
    values.put("device", backend.device().description());
    values.put("steps", steps);
    values.put("loss_every", lossEvery);
    values.put("command_after_s", start.command());
    values.put("device_after_s", start.device());
    values.put("first_step_after_s", start.firstStep());
    values.put("forward_ms", median(results, TrainingStep.Result::forwardNanos));
    values.put("backward_ms", median(results, TrainingStep.Result::backwardNanos));
    values.put("optimizer_ms", median(results, TrainingStep.Result::optimizerNanos));
    values.put("step_ms", whole);
    values.put("utterances_per_s", step.batch() * 1000 / whole);
    values.put("parameters", training.step().network().state().parameterCount());
    values.put("kept_for_backward_bytes", training.step().keptForBackwardBytes());
    values.put("peak_bytes", memory.totalPeak());
    values.put("peak", memory.atTotalPeak());
    values.put("category_peaks", memory.peak());
    values.put("arena_bytes", training.plan(step.batch(), step.frames()).bytes());
    values.put("ledger_and_arena_bytes", backend.ledger().totalBytes() + backend.blockBytes());
    Map<String, Long> driver = backend.device().driverMemory();
    values.put("driver_memory", driver);
    String driverText = driver(start.driverMemory(), driver, values);
    values.put("resident_growth_bytes", growth);
    String text = values.text(TEXT) + memory + driverText;
    text += values.text("\nplanned arena {arena_bytes:%,.2f MiB}");
    if (growth != null) {
      text += values.text(", the process grew by {resident_growth_bytes:%,.2f MiB}");
    }
    if (compareDry) {
      values.put("dry_events", compareWithDry(backend));
      text += values.text(", all {dry_events} ledger events as foretold");
    }
    text += "\n";
    if (kernels) {
      backend.device().timeKernels();
      training.queue(features, labels, 0.2, LEARNING_RATE, null);
      KernelTable measured = new KernelTable(backend.device().kernelTimes());
      training.results();
      measured.put(values);
      text += measured.text();
    }
    result(text, values);
  }

  /**
   * Puts how much more the driver counts than what was asked for and its own from the start, and by
   * how much that grew since the first step: code is loaded in the first, a leak grows.
   */
  private static String driver(
      Map<String, Long> afterFirst, Map<String, Long> driver, Values values) {
    values.put("driver_unexplained_percent", null);
    values.put("driver_growth_bytes", null);
    if (driver.isEmpty()) return "";
    long bytes = unexplained(driver);
    double unexplained = 100.0 * bytes / driver.get("driver");
    values.put("driver_unexplained_percent", unexplained);
    values.put("driver_growth_bytes", bytes - unexplained(afterFirst));
    Values shown = new Values();
    shown.putAll(driver);
    return shown
        .with("unexplained", unexplained)
        .text(
            "\nthe driver counts {driver:%,.2f MiB}: {blocks:%,.2f MiB} were asked for,"
                + " {context:%,.2f MiB} are its own from the start ({libraries:%,.2f MiB} cuBLAS's"
                + " and cuDNN's), {unexplained:%.2f} % unexplained\n");
  }

  private static long unexplained(Map<String, Long> driver) {
    long graph = driver.getOrDefault("graph", 0L);
    return driver.get("driver") - driver.get("blocks") - driver.get("context") - graph;
  }

  /** Runs one more step and compares the ledger's events with those of the dry run. */
  private int compareWithDry(Backend backend) {
    List<MemoryLedger.Event> foretold = training.timeline(step.batch(), step.frames());
    backend.ledger().startTimeline();
    queue(1);
    List<MemoryLedger.Event> real = backend.ledger().stopTimeline();
    long graph = backend.device().graphBytes(); // which a dry run cannot know
    for (int i = 0; i < Math.max(real.size(), foretold.size()); i++) {
      String a = i < foretold.size() ? text(foretold.get(i), graph) : "nothing";
      String b = i < real.size() ? text(real.get(i), 0) : "nothing";
      if (!a.equals(b)) {
        throw new IllegalStateException(
            "event %d of the step: the dry run has %s, the backend %s".formatted(i, a, b));
      }
    }
    return real.size();
  }

  private static String text(MemoryLedger.Event event, long more) {
    return event + " of " + (event.totalBytes() + more);
  }

  private static double median(
      List<TrainingStep.Result> results, ToLongFunction<TrainingStep.Result> nanos) {
    return Timing.of(results.stream().mapToDouble(r -> nanos.applyAsLong(r) / 1e6).toArray())
        .median();
  }

  /** Seconds from the start of the JVM. */
  private static double sinceStart() {
    return (System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime()) / 1e3;
  }

  /** The process's resident memory as Linux counts it, now or at the most; -1 elsewhere. */
  private static long residentBytes(String field) {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith(field))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElse(-1);
    } catch (IOException e) {
      return -1; // as on a system without it
    }
  }
}
