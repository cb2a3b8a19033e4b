package slimvox.backend;

import java.util.function.Consumer;
import slimvox.backend.Normalization.Channels;

/** Convolutions (cross-correlations, no bias) of N x H x W x C by O x I x kH x kW. */
public final class Convolutions {
  /**
   * What a device computes, see {@link Device}.
   *
   * <p>A workspace's size depends on the geometry and never changes as long as the device is open,
   * so that a step can be planned before anything runs.
   */
  public interface Kernels {
    /** Scratch bytes of {@link #forward}: reordered weights and the library's own scratch pad. */
    default long forwardWorkspace(Convolution g) {
      return 0;
    }

    /**
     * y = x * weight; of act(BN(x)) in place of x where there are channels, to the bits of {@link
     * Normalization.Kernels#batchNormalize}, act = ReLU.
     *
     * @param c null unless the device {@link #normalizes}
     */
    default void forward(
        Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {}

    /**
     * Scratch bytes of {@link #forwardAdd} to a sum of this type; those of {@link #forward} where
     * nothing else is said.
     */
    default long forwardAddWorkspace(Convolution g, DataType sum) {
      return forwardWorkspace(g);
    }

    /** y += x * weight; y of any type, and rounded as by {@link Elementwise.Kernels#addRounded}. */
    default void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {}

    /** Whether {@link #forwardSubtract} is there; else the weight is negated before. */
    default boolean subtracts(Convolution g) {
      return false;
    }

    /** y -= x * weight, to the bits of {@link #forwardAdd} with the weight negated. */
    default void forwardSubtract(
        Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {}

    /**
     * Bytes of a weight in the layout that {@link #forward} brings it into at each call; 0 where it
     * reads the weight as it is, and then the six methods below are not called.
     */
    default long prepackedBytes(Convolution g) {
      return 0;
    }

    /** Whether a weight prepacked for one geometry serves the other. */
    default boolean sameLayout(Convolution a, Convolution b) {
      return a.equals(b);
    }

    /** Scratch bytes of {@link #prepack}. */
    default long prepackWorkspace(Convolution g) {
      return 0;
    }

    /**
     * Brings a weight into the layout of the geometry, which has {@link #prepackedBytes}; with
     * channels, that of BN(x * weight): each filter times gamma invStd, and bias = beta - mean
     * gamma invStd.
     *
     * @param c null: the weight alone, and there is no bias
     * @param workspace of {@link #prepackWorkspace}, after it as many bytes as the weight has where
     *     there are channels
     */
    default void prepack(
        Convolution g,
        Tensor weight,
        Channels c,
        Tensor bias,
        Tensor prepacked,
        Tensor workspace) {}

    /** Whether {@link #forwardPrepacked} has such an end; the layout of the weight is the same. */
    default boolean ends(Convolution g, boolean adds, boolean relu) {
      return false;
    }

    /** Scratch bytes of {@link #forwardPrepacked}. */
    default long forwardPrepackedWorkspace(Convolution g, Epilogue end) {
      return 0;
    }

    /** {@link #forward} with a weight that is prepacked already; without an end, the same bits. */
    default void forwardPrepacked(
        Convolution g, Tensor x, Tensor prepacked, Epilogue end, Tensor y, Tensor workspace) {}

    /**
     * Whether {@link #forward} and {@link #backwardWeight} take channels: x is a normalization's
     * input, which is normalized as it is read, so that act(BN(x)) is no tensor.
     */
    default boolean normalizes(Convolution g) {
      return false;
    }

    /** Scratch bytes of {@link #backwardData}. */
    default long backwardDataWorkspace(Convolution g) {
      return 0;
    }

    /** dx = dy correlated with the flipped weight. */
    default void backwardData(
        Convolution g, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {}

    /** Scratch bytes of {@link #backwardWeight}. */
    default long backwardWeightWorkspace(Convolution g) {
      return 0;
    }

    /** dweight = (dweight +) x, or act(BN(x)) as in {@link #forward}, correlated with dy. */
    default void backwardWeight(
        Convolution g,
        Tensor x,
        Channels c,
        Tensor dy,
        Tensor dweight,
        boolean accumulate,
        Tensor workspace) {}
  }

  /**
   * What a convolution does in the pass that writes y: y = act(x * weight + bias (+ y)).
   *
   * @param bias of each channel of y
   * @param relu act is ReLU, else nothing
   */
  public record Epilogue(Tensor bias, boolean adds, boolean relu) {}

  private final Kernels kernels;
  private final Check check;

  Convolutions(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** y = x * weight. */
  public void forward(Convolution g, Tensor x, Tensor weight, Tensor y) {
    forward(g, x, null, weight, y);
  }

  /**
   * The same, or y = act(BN(x)) * weight, act = ReLU, BN(x) = gamma (x - mean) invStd + beta for
   * each channel.
   *
   * @param c null: x is taken as it is
   * @throws IllegalArgumentException for channels that the device does not {@link #normalizes}
   */
  public void forward(Convolution g, Tensor x, Channels c, Tensor weight, Tensor y) {
    shapes(g, x, weight, y);
    normalizing(g, x, c);
    check.with(y, kernels.forwardWorkspace(g), w -> kernels.forward(g, x, c, weight, y, w));
    check.finite(y);
  }

  /** See {@link Kernels#forwardAdd}. */
  public void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y) {
    add(g, x, weight, y, w -> kernels.forwardAdd(g, x, weight, y, w));
  }

  /** See {@link Kernels#subtracts}. */
  public boolean subtracts(Convolution g) {
    return kernels.subtracts(g);
  }

  /** See {@link Kernels#forwardSubtract}. */
  public void forwardSubtract(Convolution g, Tensor x, Tensor weight, Tensor y) {
    add(g, x, weight, y, w -> kernels.forwardSubtract(g, x, weight, y, w));
  }

  private void add(Convolution g, Tensor x, Tensor weight, Tensor y, Consumer<Tensor> kernel) {
    activation(g, g.inShape(), x);
    Check.shape(g.weightShape(), weight);
    Check.real(y);
    Check.expect(g.outShape(), y);
    long bytes = kernels.forwardAddWorkspace(g, y.type());
    check.with(y, bytes, kernel);
    check.finite(y);
  }

  /** See {@link Kernels#prepackedBytes}. */
  public long prepackedBytes(Convolution g) {
    return kernels.prepackedBytes(g);
  }

  /** See {@link Kernels#sameLayout}. */
  public boolean sameLayout(Convolution a, Convolution b) {
    return kernels.sameLayout(a, b);
  }

  /** See {@link Kernels#prepack}. */
  public void prepack(Convolution g, Tensor weight, Channels c, Tensor bias, Tensor prepacked) {
    Check.shape(g.weightShape(), weight);
    Check.length(prepacked, DataType.FLOAT32, prepackedBytes(g) / 4);
    if (c != null) {
      Check.length(bias, DataType.FLOAT32, g.outChannels());
      Check.channels(bias, c.mean(), c.invStd(), c.gamma(), c.beta());
    }
    long bytes = kernels.prepackWorkspace(g) + (c == null ? 0 : weight.bytes());
    check.with(prepacked, bytes, w -> kernels.prepack(g, weight, c, bias, prepacked, w));
  }

  /** See {@link Kernels#ends}. */
  public boolean ends(Convolution g, boolean adds, boolean relu) {
    return kernels.ends(g, adds, relu);
  }

  /**
   * See {@link Kernels#forwardPrepacked}; the weight was prepacked for the same layout.
   *
   * @param end null: y is x * weight
   */
  public void forwardPrepacked(Convolution g, Tensor x, Tensor prepacked, Epilogue end, Tensor y) {
    activation(g, g.inShape(), x);
    Check.length(prepacked, DataType.FLOAT32, prepackedBytes(g) / 4);
    if (end != null) Check.length(end.bias(), DataType.FLOAT32, g.outChannels());
    activation(g, g.outShape(), y);
    long bytes = kernels.forwardPrepackedWorkspace(g, end);
    check.with(y, bytes, w -> kernels.forwardPrepacked(g, x, prepacked, end, y, w));
    check.finite(y);
  }

  /** See {@link Kernels#backwardData}. */
  public void backwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx) {
    shapes(g, dx, weight, dy);
    check.with(
        dx, kernels.backwardDataWorkspace(g), w -> kernels.backwardData(g, dy, weight, dx, w));
  }

  /** See {@link Kernels#normalizes}. */
  public boolean normalizes(Convolution g) {
    return kernels.normalizes(g);
  }

  /** dweight = (dweight +) x correlated with dy. */
  public void backwardWeight(
      Convolution g, Tensor x, Tensor dy, Tensor dweight, boolean accumulate) {
    backwardWeight(g, x, null, dy, dweight, accumulate);
  }

  /** The same, or of act(BN(x)) in place of x; channels and errors as in {@link #forward}. */
  public void backwardWeight(
      Convolution g, Tensor x, Channels c, Tensor dy, Tensor dweight, boolean accumulate) {
    shapes(g, x, dweight, dy);
    normalizing(g, x, c);
    check.with(
        dweight,
        kernels.backwardWeightWorkspace(g),
        w -> kernels.backwardWeight(g, x, c, dy, dweight, accumulate, w));
  }

  private void normalizing(Convolution g, Tensor x, Channels c) {
    if (c == null) return;
    Check.channels(x, c.mean(), c.invStd(), c.gamma(), c.beta());
    if (!kernels.normalizes(g)) {
      throw new IllegalArgumentException(
          "this device does not normalize %s as it is read; call batchNormalize before"
              .formatted(x));
    }
  }

  private static void shapes(Convolution g, Tensor x, Tensor weight, Tensor y) {
    activation(g, g.inShape(), x);
    Check.shape(g.weightShape(), weight);
    activation(g, g.outShape(), y);
  }

  private static void activation(Convolution g, Shape shape, Tensor x) {
    Check.length(x, g.type(), x.size());
    Check.expect(shape, x);
  }
}
