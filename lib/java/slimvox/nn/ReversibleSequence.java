package slimvox.nn;

import java.util.List;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Reversible stages one after the other: only the last state is kept, however many there are.
 *
 * <p>Backward starts from the kept state, rebuilds the input of one stage after the other and
 * differentiates each on the way, so that at any time one stage's inside and two pairs of streams
 * are in memory. Running statistics move once, in forward; batch statistics are kept, 8 bytes a
 * channel, and used again.
 *
 * <p>Source: Gomez et al. 2017, arXiv 1707.04585.
 */
public final class ReversibleSequence implements Layer {
  /** How a tensor becomes two streams and two streams a tensor. */
  public enum Form {
    /** The halves of its channels, side by side again at the end. */
    HALVES,
    /** Two copies of it, added at the end: streams are as wide as the tensor. */
    TWINS
  }

  private final String name;
  private final Form form;
  private final List<Reversible> stages;
  private final FixedPoint grid; // null: float32
  private boolean stored;
  private Tensor output; // of HALVES
  private Streams last; // of TWINS

  /** Stages on the halves of the channels, in float32. */
  public ReversibleSequence(String name, List<? extends Reversible> stages) {
    this(name, Form.HALVES, stages, null);
  }

  /**
   * A sequence.
   *
   * @param grid what the streams are rounded to at the start, or null; the couplings' grid
   */
  public ReversibleSequence(
      String name, Form form, List<? extends Reversible> stages, FixedPoint grid) {
    this.name = name;
    this.form = form;
    this.stages = List.copyOf(stages);
    this.grid = grid;
  }

  /** From now on the stages keep what backward needs, and nothing is rebuilt. */
  public void store() {
    stored = true;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (mode == Mode.RECOMPUTE) {
      throw new IllegalArgumentException(
          name
              + ": a reversible sequence rebuilds itself; it cannot be part of what is recomputed");
    }
    Streams streams = split(x, Category.ACTIVATION, name);
    if (grid != null) {
      grid.round(streams.first());
      grid.round(streams.second());
    }
    Mode inside = mode == Mode.TRAIN && !stored ? Mode.TRAIN_WITHOUT_KEEPING : mode;
    for (Reversible stage : stages) stage.forward(streams, inside);
    if (form == Form.TWINS) {
      Tensor y = streams.sum(name + ".out");
      if (mode.keeps()) {
        last = streams;
      } else {
        streams.close();
      }
      return y;
    }
    Tensor y = streams.join(name + ".out");
    if (mode.keeps()) output = y.retain();
    return y;
  }

  private Streams split(Tensor x, Category category, String label) {
    return form == Form.TWINS
        ? Streams.twins(x, category, label)
        : Streams.split(x, category, label);
  }

  @Override
  public Tensor backward(Tensor dy) {
    try (Streams y = form == Form.TWINS ? last : unjoined()) {
      Streams gradient = split(dy, Category.ACTIVATION_GRADIENT, name + ".grad");
      dy.close();
      for (Reversible stage : stages.reversed()) stage.backward(y, gradient);
      if (form == Form.HALVES) return gradient.join(name + ".din");
      dy.backend().ops().elementwise.axpy(1, gradient.second(), gradient.first());
      gradient.second().close();
      return gradient.first();
    }
  }

  private Streams unjoined() {
    try (Tensor y = output) {
      return Streams.split(y, Category.ACTIVATION, name);
    }
  }

  @Override
  public List<? extends Stateful> parts() {
    return stages;
  }

  @Override
  public void describe(StateDict state) {
    if (grid != null) state.add(grid);
    Layer.super.describe(state);
  }
}
