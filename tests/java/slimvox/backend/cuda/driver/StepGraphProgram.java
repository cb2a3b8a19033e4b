package slimvox.backend.cuda.driver;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.DeviceException;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.Cuda;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.Adam;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;
import slimvox.storage.Sha256;

/** What {@link StepGraphTest} runs in processes of their own: steps, and what is left of them. */
public final class StepGraphProgram {
  private static final int BINS = 16;
  private static final int BATCH = 2;

  // Frames of the steps: a second shape comes once, then several times.
  private static final int[] FRAMES = {9, 9, 9, 9, 11, 9, 11, 11, 11};

  private static final Category OWN = Category.WORKSPACE;

  private StepGraphProgram() {}

  /**
   * {@code MODEL OPTIMIZER BITS UPDATE READ_EVERY}: one call after the other, then as one; with
   * {@code tight} the latter in a budget of what the former took.
   */
  public static void main(String[] a) {
    long bytes = run(a, MemoryBudget.UNLIMITED, false);
    run(a, a.length > 5 ? new MemoryBudget(bytes) : MemoryBudget.UNLIMITED, true);
  }

  /** Runs the steps; returns what they took without a graph. */
  private static long run(String[] a, MemoryBudget budget, boolean asOne) {
    String[] settings = a[0].split(",");
    ModelSpec spec =
        ModelSpec.of(settings[0], Arrays.copyOfRange(settings, 1, settings.length))
            .with("bins=" + BINS, "embeddingSize=8");
    OptimizerStateFormat format =
        a[2].equals("8") ? OptimizerStateFormat.EIGHT_BIT : OptimizerStateFormat.FLOAT32;
    MemoryLedger ledger = new MemoryLedger(budget);
    long bytes = 0;
    try (Backend backend = new Backend(Cuda.open(false), ledger)) {
      try (PlannedTraining training =
          new PlannedTraining(
              backend,
              b -> {
                TrainingStep step =
                    new TrainingStep(
                        Models.build(spec, b),
                        new AamSoftmax(b, spec.embeddingSize(), 5, 32),
                        (c, parameters) ->
                            a[1].equals("adamw")
                                ? new Adam(c, parameters, 0.9, 0.999, 1e-8, 1e-2, true, format)
                                : new Sgd(c, parameters, 0.9, 0, 1e-4, true, format),
                        UpdateTime.valueOf(a[3]));
                step.learnFrom(Models.build(spec, b), 0.5);
                return step;
              })) {
        run(training, Integer.parseInt(a[4]), asOne);
        bytes = ledger.totalBytes() + backend.blockBytes();
      } catch (OutOfBudgetException e) {
        System.out.println(e.getMessage());
      }
      System.out.println(
          "graph "
              + backend.device().driverMemory().get("graph")
              + held(ledger)
              + ledger.bytes(OWN));
    } catch (DeviceException e) {
      System.out.println(e.getMessage());
    }
    if (!held(ledger).equals(" [device's own] ")) throw new IllegalStateException(held(ledger));
    return bytes;
  }

  private static String held(MemoryLedger ledger) {
    return " " + ledger.liveLabels(OWN) + " ";
  }

  private static void run(PlannedTraining training, int readEvery, boolean asOne) {
    TrainingStep step = training.step();
    step.initialize(new SplittableRandom(1));
    step.teacher().initialize(new SplittableRandom(2));
    if (asOne) step.runAsOne();
    training.readEvery(readEvery, BATCH);
    training.prepareStaging(BATCH, Arrays.stream(FRAMES).max().orElseThrow());
    StringBuilder results = new StringBuilder();
    float[] next = features(0);
    for (int i = 0; i < FRAMES.length; i++) {
      float[] features = next;
      next = i + 1 < FRAMES.length ? features(i + 1) : null;
      note("step " + i);
      // Both warm up and go down; the margin is the same for three steps.
      training.queue(features, new int[] {i % 5, 3}, i / 3 * 0.1, 0.02 / (1 + i), next);
      if ((i + 1) % readEvery != 0 && i + 1 < FRAMES.length) continue;
      note("read");
      for (TrainingStep.Result r : training.results()) {
        results.append(' ').append(r.loss()).append(' ').append(r.accuracyWithoutMargin());
      }
    }
    System.out.println("results" + results);
    System.out.println("state " + state(training));
  }

  private static float[] features(int number) {
    SplittableRandom random = new SplittableRandom(number);
    float[] values = new float[BATCH * BINS * FRAMES[number]];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  /** A line among those of the stand-in for the driver. */
  private static void note(String line) {
    Path calls = Path.of(System.getenv("FAKE_CALLS"));
    try {
      Files.writeString(calls, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A hash of all bits: parameters and what the optimizer holds of them. */
  private static String state(PlannedTraining training) {
    List<Tensor> all = new ArrayList<>();
    training.step().state().parameters().values().forEach(p -> all.add(p.value()));
    training.step().optimizer().state().forEach(s -> all.addAll(s.tensors().values()));
    return Sha256.of(all.stream().map(StepGraphProgram::text));
  }

  private static String text(Tensor x) {
    Operations ops = x.backend().ops();
    return x.type() == DataType.UINT8
        ? Arrays.toString(ops.bytes(x))
        : Arrays.toString(ops.floats(x));
  }
}
