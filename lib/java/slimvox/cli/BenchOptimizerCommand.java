package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.optim.OptimizerBenchmark;

/** Times an optimizer on parameters and gradients of normally distributed numbers. */
@Command(
    name = "optimizer",
    description = "Measure an optimizer's step: time and bytes of state.",
    sortOptions = false)
final class BenchOptimizerCommand extends Subcommand {
  private static final int WARM_UP_SECONDS = 2;

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
      OptimizerBenchmark.Result result =
          OptimizerBenchmark.run(
              backend,
              parameters,
              (b, tensors) -> rule.build(b, tensors, state.format()),
              WARM_UP_SECONDS,
              steps);
      report(result, backend.device().description());
    }
    return 0;
  }

  private void report(OptimizerBenchmark.Result result, String device) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("parameters", parameters);
    values.put("optimizer", rule.name().toLowerCase(Locale.ROOT));
    state.put(values);
    values.put("steps", steps);
    values.put("median_ms", result.medianMs());
    values.put("best_ms", result.bestMs());
    values.put("state_bytes", result.stateBytes());
    values.put("state_bytes_per_parameter", result.stateBytesPerParameter());
    values.put("device", device);
    result(
        "%s, state %s: %s%n%s".formatted(values.get("optimizer"), state.format(), result, device),
        values);
  }
}
