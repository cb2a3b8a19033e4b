package slimvox.nn;

import java.util.List;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * ReLU with a learned slope for each channel, and optionally with learned shifts.
 *
 * <p>PReLU: y = x if x &gt; 0, else slope x (He et al. 2015, arXiv 1502.01852). Shifted, ReActNet's
 * RPReLU (arXiv 2003.03488): z = x + shift; y = (z if z &gt; 0, else slope z) + bias.
 *
 * <p>Parameters of C values: {@code NAME.weight} (the slope, 0.25 at first, PyTorch's name and
 * value) and, shifted, {@code NAME.shift} and {@code NAME.bias} (0 at first). Kept for backward:
 * the input.
 */
public final class PReLU implements Layer {
  private static final float FIRST_SLOPE = 0.25f;

  private final Backend backend;
  private final Operations ops;
  private final String name;
  private final Parameter slope;
  private final Parameter shift;
  private final Parameter bias;
  private Tensor input;

  /**
   * An activation of {@code channels} channels.
   *
   * @param shifted whether it is RPReLU
   */
  public PReLU(Backend backend, String name, int channels, boolean shifted) {
    this.backend = backend;
    this.ops = backend.ops();
    this.name = name;
    this.slope = new Parameter(backend, name + ".weight", channels);
    this.shift = shifted ? new Parameter(backend, name + ".shift", channels) : null;
    this.bias = shifted ? new Parameter(backend, name + ".bias", channels) : null;
  }

  private Tensor shiftValue() {
    return shift == null ? null : shift.value();
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor y = backend.allocateLike(x, Category.ACTIVATION, name + ".out");
    ops.binary.prelu(x, shiftValue(), slope.value(), y);
    if (bias != null) ops.matrices.addToRows(bias.value(), y);
    if (mode.keeps()) input = x.retain();
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    if (bias != null) addColumnSums(dy, bias);
    boolean accumulate = slope.hasGradient();
    Tensor dx = Layer.gradientOver(dy, name);
    ops.binary.preluBackward(
        input, shiftValue(), slope.value(), dy, dx, slope.gradient(), accumulate);
    input.close();
    if (dx != dy) dy.close();
    slope.gradientComplete();
    if (shift != null) {
      addColumnSums(dx, shift);
      shift.gradientComplete();
      bias.gradientComplete();
    }
    return dx;
  }

  private void addColumnSums(Tensor dy, Parameter parameter) {
    boolean accumulate = parameter.hasGradient();
    ops.matrices.columnSums(dy, parameter.gradient(), accumulate);
  }

  @Override
  public void initialize(RandomGenerator random) {
    Layer.super.initialize(random);
    ops.elementwise.fill(slope.value(), FIRST_SLOPE);
  }

  @Override
  public List<? extends Stateful> parts() {
    return Stateful.present(slope, shift, bias);
  }
}
