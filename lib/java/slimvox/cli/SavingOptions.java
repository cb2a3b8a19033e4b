package slimvox.cli;

import java.util.Map;
import picocli.CommandLine.Option;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.settings.Key;

/** Options that make a network need less memory. */
public final class SavingOptions {
  @Option(
      names = "--reversible",
      paramLabel = "KIND",
      description =
          "none, partial (type I: blocks that keep their shape) or full (type II: all, and"
              + " down-sampling by space to depth). Default none.")
  ModelSpec.Reversibility reversible = ModelSpec.Reversibility.NONE;

  @Option(
      names = "--units",
      paramLabel = "U",
      description =
          "What becomes of a block: a (one unit on half the channels each), b (two such units with"
              + " half the inner width) or c (one function of the block's own width)."
              + " Default c.")
  ModelSpec.Units units = ModelSpec.Units.C;

  @Option(
      names = "--order",
      paramLabel = "O",
      description =
          "Reversible blocks normalize before each convolution (pre) or behind it (post)."
              + " Default pre.")
  ModelSpec.Order order = ModelSpec.Order.PRE;

  @Option(
      names = "--streams",
      paramLabel = "S",
      description = "Reversible streams in float, or fixed point, which is undone to the bit.")
  ModelSpec.Streams streams = ModelSpec.Streams.FLOAT;

  @Option(
      names = "--recompute",
      paramLabel = "R",
      description =
          "none, or checkpoint: of each ordinary block only the input is kept. Default none.")
  ModelSpec.Recompute recompute = ModelSpec.Recompute.NONE;

  @Option(
      names = "--slice",
      paramLabel = "N",
      description =
          "Inner channels of a reversible block that are in memory at a time in the first stage,"
              + " four times as many in each following one; 0: all. Default 0.")
  int slice;

  @Option(
      names = "--rebuild",
      description = "Keep the outputs of convolutions only; rebuild normalization and ReLU.")
  boolean rebuild;

  @Option(
      names = "--keep",
      paramLabel = "N",
      description =
          "Outputs of inner convolutions of reversible blocks that are kept instead of computed"
              + " again, narrow ones first: as many as need no more bytes than N streams. Default"
              + " 0.")
  int keep;

  @Option(
      names = "--lean",
      description =
          "All of it: --slice 16 unless you give another (where blocks allow it), --rebuild,"
              + " --update in-backward.")
  boolean lean;

  /**
   * The network with these options; with {@code --lean} the step's update is set as well.
   *
   * @throws slimvox.storage.InputException if the network cannot do it, naming the layer
   */
  public ModelSpec apply(Subcommand command, ModelSpec spec, StepOptions step) {
    command.range("--slice", slice, 0, 65536);
    command.range("--keep", keep, 0, 65536);
    if (lean && isGiven(command, "--slice") && slice == 0) {
      throw command.usage("--lean computes blocks in slices; leave out --slice 0");
    }
    if (lean && isGiven(command, "--update") && step.update != UpdateTime.IN_BACKWARD) {
      throw command.usage("--lean updates in backward; leave out --update " + step.update.key());
    }
    ModelSpec asked =
        spec.with(
            "reversible=" + Key.of(reversible),
            "units=" + Key.of(units),
            "order=" + Key.of(order),
            "streams=" + Key.of(streams),
            "recompute=" + Key.of(recompute),
            "slice=" + slice,
            "rebuild=" + rebuild,
            "keep=" + keep);
    if (!lean) return asked;
    step.update = UpdateTime.IN_BACKWARD;
    return Models.lean(asked);
  }

  /** Refuses options of reversible blocks where there are none. */
  public void requireReversible(Subcommand command) {
    if (reversible != ModelSpec.Reversibility.NONE) return;
    for (String option : new String[] {"--units", "--order", "--streams", "--keep"}) {
      if (isGiven(command, option)) {
        throw command.usage(
            option + " concerns reversible blocks; add --reversible partial or full");
      }
    }
  }

  private static boolean isGiven(Subcommand command, String option) {
    return command.spec.commandLine().getParseResult().hasMatchedOption(option);
  }

  /** Adds what was asked for to a result. */
  public void put(ModelSpec spec, Map<String, Object> values) {
    values.put("reversible", Key.of(spec.reversible()));
    values.put("units", Key.of(spec.units()));
    values.put("order", Key.of(spec.order()));
    values.put("streams", Key.of(spec.streams()));
    values.put("recompute", Key.of(spec.recompute()));
    values.put("slice", spec.slice());
    values.put("rebuild", spec.rebuild());
    values.put("keep", spec.keep());
  }
}
