package slimvox.nn;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.NotFiniteException;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Two-dimensional convolution without bias.
 *
 * <p>y[n, i, j, o] = sum over a, b, c of w[o, c, a, b] x[n, i s + a - p, j s + b - p, c]; input N x
 * H x W x I, weight O x I/groups x k x k, output N x H' x W' x O of the input's type. Padding is (k
 * - 1) / 2, so that stride 1 keeps the size. {@code groups = I = O} is a depthwise convolution.
 */
public final class Conv2d implements Layer {
  private final Backend backend;
  private final String name;
  private final int kernel;
  private final int strideHeight;
  private final int strideWidth;
  private final int groups;
  private final boolean inputGradient;
  private final Parameter weight;
  private Convolution geometry;
  private Tensor input;

  /** The same stride on both axes, one group. */
  public Conv2d(Backend backend, String name, int in, int out, int kernel, int stride) {
    this(backend, name, in, out, kernel, stride, stride, 1, true);
  }

  /**
   * A convolution.
   *
   * @param strideHeight stride over frequency
   * @param strideWidth stride over frames
   * @param inputGradient false for the first layer of a network: backward returns null
   */
  public Conv2d(
      Backend backend,
      String name,
      int in,
      int out,
      int kernel,
      int strideHeight,
      int strideWidth,
      int groups,
      boolean inputGradient) {
    if (groups < 1 || in % groups != 0 || out % groups != 0) {
      throw new IllegalArgumentException(
          "%s: %d -> %d channels cannot be cut into %d groups".formatted(name, in, out, groups));
    }
    this.backend = backend;
    this.name = name;
    this.kernel = kernel;
    this.strideHeight = strideHeight;
    this.strideWidth = strideWidth;
    this.groups = groups;
    this.inputGradient = inputGradient;
    this.weight = new Parameter(backend, name + ".weight", out, in / groups, kernel, kernel);
  }

  /** A convolution from 3x3 filters, stride 1 and one group on: name what is otherwise. */
  public static Builder builder(Backend backend, String name, int in, int out) {
    return new Builder(backend, name, in, out);
  }

  /** The settings of a convolution; those that are not named stay. */
  public static final class Builder {
    private final Backend backend;
    private final String name;
    private final int in;
    private final int out;
    private int kernel = 3;
    private int stride = 1;
    private int groups = 1;

    private Builder(Backend backend, String name, int in, int out) {
      this.backend = backend;
      this.name = name;
      this.in = in;
      this.out = out;
    }

    /** Filters of so many rows and columns. */
    public Builder kernel(int length) {
      kernel = length;
      return this;
    }

    /** The stride on both axes. */
    public Builder stride(int steps) {
      stride = steps;
      return this;
    }

    /** Groups of channels that do not mix; as many as channels for a depthwise one. */
    public Builder groups(int count) {
      groups = count;
      return this;
    }

    /**
     * The same as a {@link BinaryConv2d} without learned shifts.
     *
     * @throws IllegalArgumentException if it has more groups than one
     */
    public BinaryConv2d binary(BinaryScheme scheme, BinaryGradient gradient) {
      if (groups != 1) {
        throw new IllegalArgumentException(
            "%s: a binary convolution has one group, not %d".formatted(name, groups));
      }
      return new BinaryConv2d(backend, name, in, out, kernel, stride, scheme, gradient, false);
    }

    /** The convolution; its weight is drawn when the network is initialized. */
    public Conv2d build() {
      return new Conv2d(backend, name, in, out, kernel, stride, stride, groups, true);
    }
  }

  private Convolution geometry(Tensor x) {
    int pad = (kernel - 1) / 2;
    Shape w = weight.value().shape();
    return Convolution.of(x.shape(), w, strideHeight, strideWidth, pad, groups, x.computed());
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Convolution g = geometry(x);
    Tensor y = backend.allocate(Category.ACTIVATION, name + ".out", g.type(), g.outShape());
    try (Tensor values = values(x, name)) {
      if (isFrozen(mode)) {
        weight.prepacked().convolve(g, values, y);
      } else {
        backend.ops().convolutions.forward(g, values, weight.value(), y);
      }
      if (mode.keeps()) input = values.retain();
    }
    return y;
  }

  /** x itself, or what a stream of another type holds in the type that is computed in. */
  static Tensor values(Tensor x, String name) {
    if (x.type() == x.computed()) return x.retain();
    Tensor values = x.backend().allocateLike(x, x.category(), name + ".in");
    x.backend().ops().elementwise.convert(x, values);
    return values;
  }

  /** Whether {@link Parameter#freeze} counts. */
  boolean isFrozen(Mode mode) {
    return mode == Mode.EVALUATE && weight.prepacked() != null;
  }

  /** Says what alone reads this, see {@link Parameter#freeze}. */
  void followedBy(BatchNorm2d norm, boolean addsResidual) {
    weight.followedBy(norm, addsResidual);
  }

  /** sum += sign times the output; what backward needs is kept as in {@link #forward}. */
  void forwardAdd(Tensor sum, float sign, Tensor x, Mode mode) {
    Convolution g = geometry(x);
    if (!g.outShape().equals(sum.shape())) {
      throw new IllegalArgumentException(
          "%s: %s cannot be added to the stream %s: a coupling keeps the shape"
              .formatted(name, g.outShape(), sum));
    }
    if (isFrozen(mode) && weight.prepacked().addsResidual()) {
      weight.prepacked().convolveAndNormalize(g, x, sum);
      return;
    }
    Convolutions convolutions = backend.ops().convolutions;
    boolean subtracts = sign == -1 && convolutions.subtracts(g);
    try (Tensor values = values(x, name);
        Tensor scaled = scaled(subtracts ? 1 : sign)) {
      if (subtracts) convolutions.forwardSubtract(g, values, scaled, sum);
      else convolutions.forwardAdd(g, values, scaled, sum);
      if (mode.keeps()) input = values.retain();
    } catch (NotFiniteException e) {
      throw e.under(name + ".out");
    }
  }

  /** What a forward in {@link Mode#RECOMPUTE} leaves for backward; its output is not computed. */
  void resume(Tensor x) {
    input = values(x, name);
  }

  /** sign times the weights. */
  private Tensor scaled(float sign) {
    Tensor w = weight.value();
    if (sign == 1) return w.retain();
    Tensor scaled = backend.allocateLike(w, Category.WORKSPACE, name + ".negated");
    backend.ops().elementwise.fill(scaled, 0);
    backend.ops().elementwise.axpy(sign, w, scaled);
    return scaled;
  }

  /** Whether the two methods below read act(BN(x)) of an {@code x} that is not normalized. */
  boolean normalizes(Tensor x) {
    return backend.ops().convolutions.normalizes(geometry(x));
  }

  /** The output for act(BN(x)), of which nothing is kept. */
  Tensor forward(Tensor x, Channels c) {
    Convolution g = geometry(x);
    Tensor y = backend.allocate(Category.ACTIVATION, name + ".out", g.type(), g.outShape());
    backend.ops().convolutions.forward(g, x, c, weight.value(), y);
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    backwardWeight(input, dy);
    input.close();
    return backwardData(dy);
  }

  /** Adds to the weight's gradient; both arguments are borrowed. */
  void backwardWeight(Tensor x, Tensor dy) {
    backwardWeight(x, null, dy);
  }

  /** The same, of act(BN(x)) where there are channels. */
  void backwardWeight(Tensor x, Channels c, Tensor dy) {
    geometry = geometry(x);
    boolean add = weight.hasGradient();
    backend.ops().convolutions.backwardWeight(geometry, x, c, dy, weight.gradient(), add);
  }

  /** The gradient of the input of the last {@link #backwardWeight}. */
  Tensor backwardData(Tensor dy) {
    Tensor dx = null;
    if (inputGradient) {
      dx =
          backend.allocate(
              Category.ACTIVATION_GRADIENT, name + ".din", geometry.type(), geometry.inShape());
      backend.ops().convolutions.backwardData(geometry, dy, weight.value(), dx);
    }
    dy.close();
    weight.gradientComplete();
    return dx;
  }

  String name() {
    return name;
  }

  /** O x I/groups x k x k. */
  public Parameter weight() {
    return weight;
  }

  /** Strides over frequency and frames. */
  public int[] strides() {
    return new int[] {strideHeight, strideWidth};
  }

  /** So many parts of the channels are convolved each by itself. */
  public int groups() {
    return groups;
  }

  /** True if each channel has a kernel of its own. */
  boolean isDepthwise() {
    return groups > 1 && groups == weight.value().shape().get(0);
  }

  /** True if input and output have the same height and width. */
  boolean keepsSize() {
    return strideHeight == 1 && strideWidth == 1;
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(weight);
  }
}
