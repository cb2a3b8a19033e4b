package slimvox.cli;

import java.util.Map;
import picocli.CommandLine.Option;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Reversal;
import slimvox.models.Saving;
import slimvox.optim.UpdateTime;

/** Options that make a network need less memory. */
public final class SavingOptions {
  @Option(
      names = "--reversible",
      paramLabel = "KIND",
      description =
          "none, partial (type I: blocks that keep their shape) or full (type II: all, and"
              + " down-sampling by space to depth). Default none.")
  Reversal.Kind reversible = Reversal.NONE.kind();

  @Option(
      names = "--units",
      paramLabel = "U",
      description =
          "What becomes of a block: a (one unit on half the channels each), b (two such units with"
              + " half the inner width) or c (one function of the block's own width)."
              + " Default c.")
  Reversal.Units units = Reversal.NONE.units();

  @Option(
      names = "--order",
      paramLabel = "O",
      description =
          "Reversible blocks normalize before each convolution (pre) or behind it (post)."
              + " Default pre.")
  Reversal.Order order = Reversal.NONE.order();

  @Option(
      names = "--streams",
      paramLabel = "S",
      description = "Reversible streams in float, or fixed point, which is undone to the bit.")
  Saving.Streams streams = Saving.Streams.FLOAT;

  @Option(
      names = "--recompute",
      paramLabel = "R",
      description =
          "none, or checkpoint: of each ordinary block only the input is kept. Default none.")
  Saving.Recompute recompute = Saving.Recompute.NONE;

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
    ModelSpec reversed = spec.with(new Reversal(reversible, units, order));
    Saving saving = new Saving(recompute, slice, rebuild, streams).withKeep(keep);
    if (!lean) return reversed.with(saving);
    step.update = UpdateTime.IN_BACKWARD;
    return reversed.with(Models.lean(reversed.with(saving)));
  }

  /** Refuses options of reversible blocks where there are none. */
  public void requireReversible(Subcommand command) {
    if (reversible != Reversal.Kind.NONE) return;
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
    Saving saving = spec.saving();
    values.put("reversible", Reversal.key(spec.reversal().kind()));
    values.put("units", Reversal.key(spec.reversal().units()));
    values.put("order", Reversal.key(spec.reversal().order()));
    values.put("streams", Reversal.key(saving.streams()));
    values.put("recompute", Reversal.key(saving.recompute()));
    values.put("slice", saving.slice());
    values.put("rebuild", saving.rebuild());
    values.put("keep", saving.keep());
  }
}
