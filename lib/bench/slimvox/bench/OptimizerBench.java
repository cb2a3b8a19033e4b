package slimvox.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.cli.Subcommand;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.nn.Parameter;
import slimvox.optim.Optimizer;
import slimvox.recipe.OptimizerSettings;
import slimvox.report.Values;
import slimvox.step.StepBuilder;

/** Times an optimizer on parameters and gradients of normally distributed numbers. */
@Command(name = "optimizer", description = "Measure an optimizer's step: time and bytes of state.")
public final class OptimizerBench extends Subcommand {
  private static final int LARGEST_TENSOR = 2_359_296; // ResNet's largest filters: 512 x 512 x 9
  private static final Duration WARM_UP = Duration.ofSeconds(2);

  @Option(
      names = "--parameters",
      paramLabel = "N",
      description =
          "Parameters, in tensors of up to 2,359,296. Default ${DEFAULT-VALUE}, ResNet293's.")
  private long parameters = 28_626_016;

  @Option(
      names = {"--runs", "--steps"},
      paramLabel = "K",
      description = "Steps that are measured, after some to warm up.")
  private int runs = 50;

  private OptimizerSettings optimizer;

  /** The command; picocli fills in its options. */
  public OptimizerBench() {
    super("optimizer.name", "optimizer.state.", "run.threads");
  }

  @Override
  public Integer call() {
    range("--parameters", parameters, 1, 1_000_000_000);
    range("--runs", runs, 1, 1_000_000);
    optimizer = flags.recipe().optimizer();
    try (Backend backend =
        Backends.open("cpu", flags.recipe().run().threads(), MemoryBudget.UNLIMITED)) {
      List<Parameter> tensors = tensors(backend);
      try (Optimizer update = StepBuilder.optimizer(optimizer, backend, tensors)) {
        long bytes = backend.ledger().bytes(Category.OPTIMIZER_STATE);
        Timing step = Timing.measure(WARM_UP, runs, () -> update.step(1e-4));
        report(step, bytes, backend.device().description());
      } finally {
        tensors.forEach(Parameter::close);
      }
    }
    return 0;
  }

  private List<Parameter> tensors(Backend backend) {
    SplittableRandom random = new SplittableRandom(1);
    List<Parameter> tensors = new ArrayList<>();
    for (long left = parameters; left > 0; left -= LARGEST_TENSOR) {
      int size = (int) Math.min(left, LARGEST_TENSOR);
      Parameter p = new Parameter(backend, "tensor" + tensors.size(), size);
      backend.ops().upload(Noise.values(random, size, 0.05), p.value());
      backend.ops().upload(Noise.values(random, size, 0.01), p.gradient());
      tensors.add(p);
    }
    return tensors;
  }

  private void report(Timing step, long bytes, String device) {
    Values values = new Values();
    values.put("parameters", parameters);
    values.put("optimizer", optimizer.name());
    values.put("state_bits", optimizer.state().bits());
    values.put("state_block", optimizer.state().block());
    values.put("steps", runs);
    values.put("median_ms", step.median());
    values.put("best_ms", step.best());
    values.put("state_bytes", bytes);
    values.put("state_bytes_per_parameter", (double) bytes / parameters);
    values.put("device", device);
    result(
        values.text(
            "{optimizer}, state "
                + optimizer.state()
                + ": {median_ms:%.2f} ms a step (best {best_ms:%.2f}) for {parameters:%,d}"
                + " parameters; {state_bytes:%,d} bytes of state,"
                + " {state_bytes_per_parameter:%.4f} a parameter\n{device}"),
        values);
  }
}
