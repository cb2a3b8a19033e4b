package slimvox.step;

import java.util.ArrayList;
import java.util.List;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.settings.Key;

/** The ways to train one network that memory tables compare, in order of what they save. */
public enum MemoryScheme {
  /** All that backward needs is kept, as PyTorch's autograd does. */
  VANILLA("vanilla", "", "reversible=none"),
  /** Of each block its input is kept, and the block computed again: what PyTorch users have. */
  CHECKPOINT(
      "checkpoint per block", "--recompute checkpoint", "reversible=none", "recompute=checkpoint"),
  /** Blocks that keep their shape are reversible. */
  TYPE_I("type I", "--reversible partial", "reversible=partial"),
  /** All blocks are reversible, and so is down-sampling. */
  TYPE_II("type II", "--reversible full", "reversible=full"),
  /** Type I in slices, rebuilding normalizations, updating within backward. */
  LEAN_I("type I, lean", "--reversible partial --lean", "reversible=partial"),
  /** Type II in slices, rebuilding normalizations, updating within backward. */
  LEAN_II("type II, lean", "--reversible full --lean", "reversible=full");

  private final String label;
  private final String options;
  private final String[] settings;

  MemoryScheme(String label, String options, String... settings) {
    this.label = label;
    this.options = options;
    this.settings = settings;
  }

  /** The name in tables. */
  public String label() {
    return label;
  }

  /** The options of {@code slimvox memory} and {@code slimvox bench step}; empty for vanilla. */
  public String options() {
    return options;
  }

  /** Whether normalizations are rebuilt, blocks computed in slices, updates made in backward. */
  public boolean isLean() {
    return this == LEAN_I || this == LEAN_II;
  }

  /** The network computed this way; units, order and streams of reversible blocks stay. */
  public ModelSpec apply(ModelSpec model) {
    ModelSpec applied =
        model.with("recompute=null", "slice=null", "rebuild=null", "keep=null").with(settings);
    if (!applied.hasReversibleBlocks()) applied = applied.with("streams=null");
    return isLean() ? Models.lean(applied) : applied;
  }

  /** When parameters are moved: within backward if lean, else as asked. */
  public UpdateTime update(UpdateTime asked) {
    return isLean() ? UpdateTime.IN_BACKWARD : asked;
  }

  /** The settings of a {@link slimvox.recipe.Recipe} of this network that have to change. */
  public List<String> settings(ModelSpec model) {
    List<String> changed = new ArrayList<>(model.difference(apply(model)));
    if (isLean()) changed.add("optimizer.update=" + Key.of(UpdateTime.IN_BACKWARD));
    return changed;
  }
}
