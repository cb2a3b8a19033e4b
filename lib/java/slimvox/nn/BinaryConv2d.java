package slimvox.nn;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * A convolution with binary weights, or binary activations, or both; without bias.
 *
 * <p>Weights: W~ = alpha sign(W), alpha = mean |W| over the filter's n weights, which minimizes |W
 * - W~|; W, the real weights, are what is learned. y = conv(x, W~) with zeros as padding, as in
 * {@link Conv2d}.
 *
 * <p>Activations: y = conv(sign(x + shift), W~) with +1 as padding, because a sign has no zero;
 * shift is a learned value of each input channel (ReActNet's RSign) or left out. It is computed as
 * alpha conv(sign(x + shift), sign(W)), whose sums of signs are whole numbers and therefore exact:
 * packed inference gives the same bits.
 *
 * <p>Backward: dx is that through W~ in every scheme with binary weights; dW follows {@link
 * BinaryGradient}; where signs are taken, the derivative is max(0, 2 - 2 |x + shift|). sign(0) =
 * +1.
 *
 * <p>With activations of bfloat16 sums of signs are rounded to it before alpha, and once more
 * after: packed inference, in float32, then gives near values only.
 *
 * <p>Parameters: {@code NAME.weight} O x I x k x k, the name and shape of the real convolution, so
 * that its checkpoints can be loaded; with learned shifts {@code NAME.shift} I.
 *
 * <p>Kept for backward: the input. Signs and W~ are made again when they are needed.
 *
 * <p>Sources: XNOR-Net (arXiv 1603.05279), Bi-Real Net (arXiv 1808.00278), ReActNet (arXiv
 * 2003.03488).
 */
public final class BinaryConv2d implements Layer {
  private final Backend backend;
  private final Operations ops;
  private final String name;
  private final int kernel;
  private final int stride;
  private final BinaryScheme scheme;
  private final BinaryGradient gradient;
  private final Parameter weight;
  private final Parameter shift;
  private Convolution geometry;
  private Tensor input;

  /**
   * A binary convolution.
   *
   * @param gradient how the gradient reaches the real weights; without effect where the weights
   *     stay real
   * @param learnShift whether each input channel has a learned shift before its sign
   * @throws IllegalArgumentException for shifts in a scheme without signs
   */
  public BinaryConv2d(
      Backend backend,
      String name,
      int in,
      int out,
      int kernel,
      int stride,
      BinaryScheme scheme,
      BinaryGradient gradient,
      boolean learnShift) {
    if (learnShift && !scheme.binaryActivations()) {
      throw new IllegalArgumentException(name + ": shifts belong to binary activations");
    }
    this.backend = backend;
    this.ops = backend.ops();
    this.name = name;
    this.kernel = kernel;
    this.stride = stride;
    this.scheme = scheme;
    this.gradient = gradient;
    this.weight = new Parameter(backend, name + ".weight", out, in, kernel, kernel);
    this.shift = learnShift ? new Parameter(backend, name + ".shift", in) : null;
  }

  /** The name that its parameters begin with, for example {@code layer1.0.conv1}. */
  public String name() {
    return name;
  }

  /** What is binary. */
  public BinaryScheme scheme() {
    return scheme;
  }

  /** The real weights, O x I x k x k. */
  public Parameter weight() {
    return weight;
  }

  /** The learned shifts, one for each input channel; null without. */
  public Parameter shift() {
    return shift;
  }

  /** Stride on both axes. */
  public int stride() {
    return stride;
  }

  /** With signs the border has been put around the input already. */
  private Convolution geometry(Tensor x) {
    int border = (kernel - 1) / 2;
    boolean signs = scheme.binaryActivations();
    int put = signs ? 2 * border : 0;
    Shape s = x.shape();
    Shape bordered = Shape.of(s.get(0), s.get(1) + put, s.get(2) + put, s.get(3));
    int pad = signs ? 0 : border;
    Shape w = weight.value().shape();
    return Convolution.of(bordered, w, stride, stride, pad, 1, x.computed());
  }

  /** What is convolved: the input's values, or its signs with a border. The caller owns it. */
  private Tensor convolved(Convolution g, Tensor x) {
    if (!scheme.binaryActivations()) return Conv2d.values(x, name);
    Tensor signs = backend.allocate(Category.ACTIVATION, name + ".signs", g.type(), g.inShape());
    ops.binary.signActivation(x, shift == null ? null : shift.value(), signs);
    return signs;
  }

  private Tensor scales() {
    int filters = weight.value().shape().get(0);
    return backend.allocate(Category.ACTIVATION, name + ".alpha", filters);
  }

  private Tensor binaryWeights() {
    return backend.allocateLike(weight.value(), Category.ACTIVATION, name + ".binary_weight");
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Convolution g = geometry(x);
    Tensor y = backend.allocate(Category.ACTIVATION, name + ".out", g.type(), g.outShape());
    boolean real =
        !scheme.binaryWeights() || (scheme == BinaryScheme.PAPER && mode.keepsStatistics());
    try (Tensor inp = convolved(g, x)) {
      if (real) {
        ops.convolutions.forward(g, inp, weight.value(), y);
      } else {
        convolveBinary(g, inp, y);
      }
    }
    if (mode.keeps()) {
      geometry = g;
      input = x.retain();
    }
    return y;
  }

  private void convolveBinary(Convolution g, Tensor inp, Tensor y) {
    boolean signs = scheme.binaryActivations();
    try (Tensor alpha = scales()) {
      try (Tensor binary = binaryWeights()) {
        ops.binary.binarizeFilters(weight.value(), !signs, alpha, binary);
        ops.convolutions.forward(g, inp, binary, y);
      }
      if (signs) ops.binary.scaleRows(alpha, y);
    }
  }

  @Override
  public Tensor backward(Tensor dy) {
    if (!scheme.binaryWeights()) {
      boolean accumulate = weight.hasGradient(); // before the gradient's buffer is there
      weightGradient(dy, weight.gradient(), accumulate);
      return inputGradient(dy, weight.value());
    }
    try (Tensor alpha = scales();
        Tensor binary = binaryWeights()) {
      ops.binary.binarizeFilters(weight.value(), true, alpha, binary);
      binaryWeightGradient(dy, alpha);
      return inputGradient(dy, binary);
    }
  }

  private void weightGradient(Tensor dy, Tensor dweight, boolean accumulate) {
    try (Tensor inp = convolved(geometry, input)) {
      ops.convolutions.backwardWeight(geometry, inp, dy, dweight, accumulate);
    }
  }

  private void binaryWeightGradient(Tensor dy, Tensor alpha) {
    if (!weight.hasGradient()) {
      Tensor dweight = weight.gradient();
      weightGradient(dy, dweight, false);
      ops.binary.binarizeFiltersBackward(weight.value(), alpha, gradient, dweight, dweight, false);
      return;
    }
    try (Tensor dbinary =
        backend.allocateLike(
            weight.value(), Category.ACTIVATION_GRADIENT, name + ".dbinary_weight")) {
      weightGradient(dy, dbinary, false);
      ops.binary.binarizeFiltersBackward(
          weight.value(), alpha, gradient, dbinary, weight.gradient(), true);
    }
  }

  /** Takes dy over, and lets the kept input go. */
  private Tensor inputGradient(Tensor dy, Tensor weights) {
    Tensor dx = backend.allocateLike(input, Category.ACTIVATION_GRADIENT, name + ".din");
    if (!scheme.binaryActivations()) {
      ops.convolutions.backwardData(geometry, dy, weights, dx);
    } else {
      try (Tensor dsigns =
          backend.allocate(
              Category.ACTIVATION_GRADIENT,
              name + ".dsigns",
              geometry.type(),
              geometry.inShape())) {
        ops.convolutions.backwardData(geometry, dy, weights, dsigns);
        ops.binary.signActivationBackward(input, shift == null ? null : shift.value(), dsigns, dx);
      }
      if (shift != null) {
        boolean accumulate = shift.hasGradient();
        ops.matrices.columnSums(dx, shift.gradient(), accumulate);
      }
    }
    dy.close();
    input.close();
    weight.gradientComplete();
    if (shift != null) shift.gradientComplete();
    return dx;
  }

  @Override
  public List<? extends Stateful> parts() {
    return Stateful.present(weight, shift);
  }
}
