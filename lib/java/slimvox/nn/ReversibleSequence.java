package slimvox.nn;

import java.util.List;
import java.util.Locale;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.Tensor.Grid;
import slimvox.memory.Category;

/**
 * Reversible stages one after the other: only the last state is kept, however many there are.
 *
 * <p>Backward starts from the kept state, rebuilds the input of one stage after the other and
 * differentiates each on the way, so that at any time one stage's inside and two pairs of streams
 * are in memory. Running statistics move once, in backward; batch statistics are kept, 8 bytes a
 * channel, and used again.
 *
 * <p>In training streams may be held in a fixed type: as whole numbers of a step, a power of two
 * that the whole sequence shares. What F gives is rounded to it and added; the inverse subtracts
 * the same number, so that the state is rebuilt to the bit at any depth. The step is halved after a
 * batch that left most of the range unused, and doubled where a sum leaves the range, before the
 * batch is tried again ({@link Overflow}): never between a forward and its backward. In evaluation
 * and calibration nothing is undone, and streams are float32.
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

  /** The counter that remembers a step of 1; a step twice as large counts one more. */
  private static final int EXPONENT = 64;

  private final String name;
  private final Form form;
  private final List<Reversible> stages;
  private final DataType held;
  private final FixedPoint grid; // null: sums are not rounded, or by their type
  private Grid format = new Grid(DataType.FLOAT32);
  private boolean stored;
  private Tensor output; // of HALVES that are held as what is computed from them
  private Streams last; // of others

  /** Stages on the halves of the channels, in float32. */
  public ReversibleSequence(String name, List<? extends Reversible> stages) {
    this(name, Form.HALVES, stages, null, DataType.FLOAT32);
  }

  /**
   * A sequence.
   *
   * @param grid what the streams are rounded to at the start, or null; the couplings' grid
   * @param held the type of the streams in training: float32, or a fixed one
   */
  public ReversibleSequence(
      String name, Form form, List<? extends Reversible> stages, FixedPoint grid, DataType held) {
    this.name = name;
    this.form = form;
    this.stages = List.copyOf(stages);
    this.grid = grid;
    this.held = held;
    if (held.isFixed()) format.setStep(held == DataType.FIXED16 ? 0x1p-9f : 0x1p-2f);
  }

  /** From now on the stages keep what backward needs, and nothing is rebuilt. */
  public void store() {
    stored = true;
  }

  /** How the input becomes streams. */
  public Form form() {
    return form;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (mode == Mode.RECOMPUTE) {
      throw new IllegalArgumentException(
          name
              + ": a reversible sequence rebuilds itself; it cannot be part of what is recomputed");
    }
    DataType type = mode.keepsStatistics() ? held : DataType.FLOAT32; // else nothing is undone
    boolean converted = type != x.type();
    if (x.type() != format.computed()) format = format.computing(x.type());
    format.forgetLargest();
    Streams streams = split(x, Category.ACTIVATION, name, type, converted ? format : null);
    checkRange(streams, name);
    if (grid != null) {
      grid.round(streams.first());
      grid.round(streams.second());
    }
    Mode inside = mode == Mode.TRAIN && !stored ? Mode.TRAIN_WITHOUT_KEEPING : mode;
    for (Reversible stage : stages) {
      stage.forward(streams, inside);
      checkRange(streams, stage);
    }
    if (form == Form.TWINS || converted) {
      String label = name + ".out";
      Tensor y = form == Form.TWINS ? streams.sum(label) : streams.retain().join(label);
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

  private void checkRange(Streams streams, Object at) {
    DataType type = streams.first().type();
    if (!type.isFixed() || format.largest() <= type.largest() * format.step()) return;
    throw new Overflow(format, at instanceof Reversible stage ? place(stage) : name);
  }

  /** The block of a stage, by its first parameter: {@code layer1.2} of layer1.2.f.bn1.weight. */
  private String place(Reversible stage) {
    String first = StateDict.of(stage).names().stream().findFirst().orElse(name);
    return first.replaceFirst("\\.[fg]\\..*", "");
  }

  private Streams split(Tensor x, Category category, String label, DataType type, Grid on) {
    return form == Form.TWINS
        ? Streams.twins(x, category, label, type, on)
        : Streams.split(x, category, label, type, on);
  }

  @Override
  public Tensor backward(Tensor dy) {
    try (Streams y = output == null ? last : unjoined()) {
      String label = name + ".grad";
      Streams gradient = split(dy, Category.ACTIVATION_GRADIENT, label, dy.type(), null);
      dy.close();
      for (Reversible stage : stages.reversed()) stage.backward(y, gradient);
      if (held.isFixed()) refine();
      if (form == Form.HALVES) return gradient.join(name + ".din");
      dy.backend().ops().elementwise.axpy(1, gradient.second(), gradient.first());
      gradient.second().close();
      return gradient.first();
    }
  }

  private Streams unjoined() {
    try (Tensor y = output) {
      output = null;
      return Streams.split(y, Category.ACTIVATION, name, y.type(), null);
    }
  }

  /** Halves the step of the next batch while three times what was met would still be in range. */
  private void refine() {
    float largest = format.largest();
    float step = format.step();
    while (largest > 0 && 3 * largest < held.largest() * step && step > 0x1p-30f) step /= 2;
    format.setStep(step);
  }

  @Override
  public List<? extends Stateful> parts() {
    return stages;
  }

  @Override
  public void describe(StateDict state) {
    if (grid != null) state.add(grid);
    if (held.isFixed()) {
      state.add(name + ".step", () -> EXPONENT + Math.getExponent(format.step()), this::setStep);
    }
    Layer.super.describe(state);
  }

  private void setStep(long counter) {
    format.setStep(Math.scalb(1f, (int) (counter - EXPONENT)));
  }

  /**
   * A sum of a stream of a fixed type is larger than the type holds: the forward pass has to be
   * done again with a larger step. Nothing but the contents of its tensors has changed.
   */
  public static final class Overflow extends RuntimeException {
    private final transient Grid grid;

    private Overflow(Grid grid, String place) {
      super(
          String.format(
              Locale.ROOT,
              "%s: a stream reached %g in steps of %g",
              place,
              grid.largest(),
              grid.step()));
      this.grid = grid;
    }

    /**
     * Doubles the step.
     *
     * @return false if that is of no help, as the stream is not finite
     */
    public boolean raiseStep() {
      grid.setStep(2 * grid.step());
      return grid.largest() < Float.MAX_VALUE;
    }
  }
}
