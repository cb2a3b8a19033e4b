package slimvox.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.nn.Parameter;
import slimvox.optim.Optimizer;

/** Times an optimizer on parameters and gradients of normally distributed numbers. */
@Command(
    name = "optimizer",
    description = "Measure an optimizer's step: time and bytes of state.",
    sortOptions = false)
final class BenchOptimizerCommand extends Subcommand {
  private static final int WARM_UP_SECONDS = 2;
  private static final int LARGEST_TENSOR = 2_359_296; // ResNet's largest filters: 512 x 512 x 9

  @Option(
      names = "--parameters",
      paramLabel = "N",
      description =
          "Parameters, in tensors of up to 2,359,296. Default ${DEFAULT-VALUE}, ResNet293's.")
  private long parameters = 28_626_016;

  @Option(
      names = "--optimizer",
      paramLabel = "RULE",
      description = "sgd (Nesterov momentum), adam or adamw. Default sgd.")
  private StepOptions.Rule rule = StepOptions.Rule.SGD;

  @Mixin private StateOptions state;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; 0: all cores. Default ${DEFAULT-VALUE}.")
  private int threads = 0;

  @Option(
      names = "--steps",
      paramLabel = "K",
      description = "Steps that are measured, after some to warm up. Default ${DEFAULT-VALUE}.")
  private int steps = 50;

  @Override
  public Integer call() {
    range("--parameters", parameters, 1, 1_000_000_000);
    range("--threads", threads, 0, 4096);
    range("--steps", steps, 1, 1_000_000);
    state.check(this);
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED)) {
      List<Parameter> tensors = tensors(backend);
      try (Optimizer optimizer = rule.build(backend, tensors, state.format())) {
        long warmUp = System.nanoTime() + WARM_UP_SECONDS * 1_000_000_000L;
        while (System.nanoTime() < warmUp) optimizer.step(1e-4);
        double[] ms = new double[steps];
        for (int i = 0; i < steps; i++) {
          long start = System.nanoTime();
          optimizer.step(1e-4);
          ms[i] = (System.nanoTime() - start) / 1e6;
        }
        Arrays.sort(ms);
        report(backend, ms[steps / 2], ms[0]);
      }
      tensors.forEach(Parameter::close);
    }
    return 0;
  }

  private List<Parameter> tensors(Backend backend) {
    SplittableRandom random = new SplittableRandom(1);
    List<Parameter> tensors = new ArrayList<>();
    for (long left = parameters; left > 0; left -= LARGEST_TENSOR) {
      int size = (int) Math.min(left, LARGEST_TENSOR);
      Parameter p = new Parameter(backend, "tensor" + tensors.size(), size);
      backend.ops().upload(normal(random, size, 0.05), p.value());
      backend.ops().upload(normal(random, size, 0.01), p.gradient());
      tensors.add(p);
    }
    return tensors;
  }

  private static float[] normal(SplittableRandom random, int size, double deviation) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) (deviation * random.nextGaussian());
    return values;
  }

  private void report(Backend backend, double median, double best) {
    long bytes = backend.ledger().bytes(Category.OPTIMIZER_STATE);
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("parameters", parameters);
    values.put("optimizer", rule.name().toLowerCase(Locale.ROOT));
    state.put(values);
    values.put("steps", steps);
    values.put("median_ms", median);
    values.put("best_ms", best);
    values.put("state_bytes", bytes);
    values.put("state_bytes_per_parameter", (double) bytes / parameters);
    values.put("device", backend.device().description());
    result(
        String.format(
            Locale.ROOT,
            "%s, state %s: %.2f ms a step (best %.2f) for %,d parameters; %,d bytes of state, %.4f"
                + " a parameter%n%s",
            values.get("optimizer"),
            state.format(),
            median,
            best,
            parameters,
            bytes,
            (double) bytes / parameters,
            backend.device().description()),
        values);
  }
}
