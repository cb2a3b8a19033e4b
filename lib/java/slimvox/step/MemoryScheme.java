package slimvox.step;

import java.util.ArrayList;
import java.util.List;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Reversal;
import slimvox.models.Saving;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;

/** The ways to train one network that memory tables compare, in order of what they save. */
public enum MemoryScheme {
  /** All that backward needs is kept, as PyTorch's autograd does. */
  VANILLA("vanilla", ""),
  /** Of each block its input is kept, and the block computed again: what PyTorch users have. */
  CHECKPOINT("checkpoint per block", "--recompute checkpoint"),
  /** Blocks that keep their shape are reversible. */
  TYPE_I("type I", "--reversible partial"),
  /** All blocks are reversible, and so is down-sampling. */
  TYPE_II("type II", "--reversible full"),
  /** Type I in slices, rebuilding normalizations, updating within backward. */
  LEAN_I("type I, lean", "--reversible partial --lean"),
  /** Type II in slices, rebuilding normalizations, updating within backward. */
  LEAN_II("type II, lean", "--reversible full --lean");

  private final String label;
  private final String options;

  MemoryScheme(String label, String options) {
    this.label = label;
    this.options = options;
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

  /** Which blocks are reversible. */
  public Reversal.Kind reversible() {
    return switch (this) {
      case VANILLA, CHECKPOINT -> Reversal.Kind.NONE;
      case TYPE_I, LEAN_I -> Reversal.Kind.PARTIAL;
      case TYPE_II, LEAN_II -> Reversal.Kind.FULL;
    };
  }

  /** The network computed this way; units, order and streams of reversible blocks stay. */
  public ModelSpec apply(ModelSpec model) {
    Reversal reversal =
        new Reversal(reversible(), model.reversal().units(), model.reversal().order());
    Saving.Recompute recompute =
        this == CHECKPOINT ? Saving.Recompute.CHECKPOINT : Saving.Recompute.NONE;
    boolean streams = reversible() != Reversal.Kind.NONE;
    ModelSpec applied =
        model
            .with(reversal)
            .with(
                new Saving(
                    recompute,
                    0,
                    false,
                    streams ? model.saving().streams() : Saving.Streams.FLOAT));
    return isLean() ? applied.with(Models.lean(applied)) : applied;
  }

  /** When parameters are moved: within backward if lean, else as asked. */
  public UpdateTime update(UpdateTime asked) {
    return isLean() ? UpdateTime.IN_BACKWARD : asked;
  }

  /** The settings of a {@link Recipe} of this network that have to change to train this way. */
  public List<String> settings(ModelSpec model) {
    ModelSpec applied = apply(model);
    Saving is = model.saving();
    Saving wanted = applied.saving();
    List<String> settings = new ArrayList<>();
    if (reversible() != model.reversal().kind()) {
      settings.add("model.reversible=" + Reversal.key(reversible()));
    }
    if (wanted.recompute() != is.recompute()) {
      settings.add("model.recompute=" + Reversal.key(wanted.recompute()));
    }
    if (wanted.streams() != is.streams()) {
      settings.add("model.streams=" + Reversal.key(wanted.streams()));
    }
    if (wanted.slice() != is.slice()) settings.add("model.slice=" + wanted.slice());
    if (wanted.rebuild() != is.rebuild()) settings.add("model.rebuild=" + wanted.rebuild());
    if (wanted.keep() != is.keep()) settings.add("model.keep=" + wanted.keep());
    if (isLean()) settings.add("optimizer.update=" + UpdateTime.IN_BACKWARD.key());
    return settings;
  }
}
