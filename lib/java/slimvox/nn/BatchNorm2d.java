package slimvox.nn;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Batch normalization, with what follows it in a residual network built in.
 *
 * <p>y = act(gamma (x - mean) / sqrt(variance + 1e-5) + beta + residual), for each channel; act is
 * ReLU if asked for, residual is optional. In training mean and (biased) variance are the batch's,
 * and running = 0.9 running + 0.1 batch (variance unbiased), as in PyTorch; in evaluation they are
 * the running ones. PyTorch moves the running ones in forward, this in backward: a step whose loss
 * is refused leaves them as they were.
 *
 * <p>Kept for backward: the input, the output if there is a ReLU behind a residual (its sign is the
 * mask; without residual the sign is computed from the input again), and mean and inverse
 * deviation, 8 bytes a channel. That is no more than PyTorch keeps for the separate layers.
 *
 * <p>Source: Ioffe and Szegedy 2015, arXiv 1502.03167.
 */
public final class BatchNorm2d implements Layer {
  /** Added to the variance before the root is taken. */
  public static final float EPSILON = 1e-5f;

  private static final float MOMENTUM = 0.1f;

  private final Backend backend;
  private final Operations ops;
  private final String name;
  private final boolean relu;
  private final Parameter gamma;
  private final Parameter beta;
  private final Tensor runningMean;
  private final Tensor runningVariance;
  private long batchesTracked;

  private Tensor mean;
  private Tensor invStd;
  private Tensor input;
  private Tensor output;
  private boolean applied; // to what comes next

  /**
   * A batch normalization.
   *
   * @param relu put a ReLU behind it
   */
  public BatchNorm2d(Backend backend, String name, int channels, boolean relu) {
    this.backend = backend;
    this.ops = backend.ops();
    this.name = name;
    this.relu = relu;
    this.gamma = new Parameter(backend, name + ".weight", channels);
    this.beta = new Parameter(backend, name + ".bias", channels);
    this.runningMean = backend.allocate(Category.PARAMETER, name + ".running_mean", channels);
    this.runningVariance = backend.allocate(Category.PARAMETER, name + ".running_var", channels);
  }

  /** Whether a ReLU is behind it. */
  public boolean hasReLU() {
    return relu;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    return forward(x, null, mode);
  }

  /** The output for {@code x} plus {@code residual}, both borrowed; residual may be null. */
  public Tensor forward(Tensor x, Tensor residual, Mode mode) {
    if (isApplied()) return x.retain();
    prepare(x, mode);
    return forward(x, residual, mode, backend.allocateLike(x, Category.ACTIVATION, name + ".out"));
  }

  private void prepare(Tensor x, Mode mode) {
    if (mode.reusesStatistics()) return;
    openStatistics(mode);
    if (mode != Mode.EVALUATE) statistics(x, 0, mode);
  }

  /** The rest of a forward, into {@code y}, which may be {@code x} where nothing is kept. */
  private Tensor forward(Tensor x, Tensor residual, Mode mode, Tensor y) {
    ops.normalization.batchNormalize(x, channels(), residual, relu, y);
    finish(x, relu && residual != null ? y : null, mode);
    return y;
  }

  /**
   * What a reader makes of the normalization of {@code x}, which it does itself; kept is what
   * {@link #forward} keeps without a residual.
   */
  Tensor readBy(Function<Channels, Tensor> reader, Tensor x, Mode mode) {
    prepare(x, mode);
    Tensor y = reader.apply(channels());
    finish(x, null, mode);
    return y;
  }

  private void finish(Tensor x, Tensor mask, Mode mode) {
    if (mode.keeps()) {
      input = x.retain();
      output = mask == null ? null : mask.retain();
    } else if (!mode.keepsStatistics()) {
      releaseStatistics();
    }
  }

  @Override
  public Tensor forwardReusing(Tensor x, Mode mode) {
    return forwardReusing(x, null, mode);
  }

  /** The same with a residual, which is borrowed; {@code x} is overwritten unless it is kept. */
  Tensor forwardReusing(Tensor x, Tensor residual, Mode mode) {
    if (isApplied()) return x;
    if (mode.keeps() || !x.isSoleOwner()) {
      try (x) {
        return forward(x, residual, mode);
      }
    }
    prepare(x, mode);
    return forward(x, residual, mode, x);
  }

  /** Says that a frozen convolution has applied this to what comes next, see {@link Parameter}. */
  void applied() {
    applied = true;
  }

  private boolean isApplied() {
    boolean now = applied;
    applied = false;
    return now;
  }

  /** y = act(BN(x) + y) in evaluation. */
  void addTo(Tensor y, Tensor x) {
    prepare(x, Mode.EVALUATE);
    forward(x, y, Mode.EVALUATE, y);
  }

  /** Shows what this is in evaluation. */
  void inEvaluation(Consumer<Channels> use) {
    openStatistics(Mode.EVALUATE);
    use.accept(channels());
    releaseStatistics();
  }

  /** Of the last forward. */
  Channels channels() {
    return new Channels(mean, invStd, gamma.value(), beta.value());
  }

  /** Makes room for the batch's statistics, or takes the running ones; for a new forward. */
  void openStatistics(Mode mode) {
    int channels = runningMean.shape().get(0);
    invStd = backend.allocate(Category.STATISTIC, name + ".inverse_deviation", channels);
    if (mode == Mode.EVALUATE) {
      mean = runningMean.retain();
      ops.normalization.invStdOf(runningVariance, EPSILON, invStd);
      return;
    }
    mean = backend.allocate(Category.STATISTIC, name + ".mean", channels);
  }

  /**
   * Statistics of the channels of {@code x}, which are those of the layer from {@code first} on;
   * where no backward follows, they move the running ones.
   */
  void statistics(Tensor x, int first, Mode mode) {
    int n = x.shape().get(-1);
    try (Tensor m = mean.part(first, n);
        Tensor i = invStd.part(first, n);
        Tensor rm = runningMean.part(first, n);
        Tensor rv = runningVariance.part(first, n)) {
      ops.normalization.batchStatistics(x, EPSILON, m, i);
      if (mode.keepsStatistics()) return;
      long rows = x.shape().rows();
      ops.normalization.updateRunningStatistics(m, i, rows, running(rm, rv));
    }
  }

  private static Running running(Tensor mean, Tensor variance) {
    return new Running(mean, variance, EPSILON, MOMENTUM);
  }

  /** What a forward in {@link Mode#RECOMPUTE} leaves for backward; its output is not computed. */
  void resume(Tensor x) {
    input = x.retain();
    output = null;
  }

  /**
   * The output of the last forward once more, from its input, for the channels from {@code first}
   * on; only without a residual.
   */
  Tensor rebuild(Tensor x, int first) {
    Tensor y = backend.allocateLike(x, Category.ACTIVATION, name + ".again");
    normalize(x, first, y);
    return y;
  }

  /** y = act(BN(x)) for the channels from {@code first} on; y may be x. */
  void normalize(Tensor x, int first, Tensor y) {
    channels(first, x.shape().get(-1), c -> ops.normalization.batchNormalize(x, c, null, relu, y));
  }

  /** Of the last forward, {@code n} channels from {@code first} on; only while in use. */
  void channels(int first, int n, Consumer<Channels> use) {
    try (Tensor m = mean.part(first, n);
        Tensor i = invStd.part(first, n);
        Tensor g = gamma.value().part(first, n);
        Tensor b = beta.value().part(first, n)) {
      use.accept(new Channels(m, i, g, b));
    }
  }

  /**
   * Backward for the channels from {@code first} on, in place: {@code dy} becomes the gradient of
   * {@code x}. Call {@link #releaseStatistics} after the last slice.
   *
   * @param accumulate add to the parameters' gradients instead of setting them
   */
  void backward(Tensor x, Tensor dy, int first, boolean accumulate) {
    backward(x, null, dy, first, accumulate, null, dy);
  }

  private void backward(
      Tensor x, Tensor y, Tensor dy, int first, boolean accumulate, Tensor dresidual, Tensor dx) {
    int n = x.shape().get(-1);
    try (Tensor m = mean.part(first, n);
        Tensor i = invStd.part(first, n);
        Tensor g = gamma.value().part(first, n);
        Tensor b = beta.value().part(first, n);
        Tensor dg = gamma.gradient().part(first, n);
        Tensor db = beta.gradient().part(first, n);
        Tensor rm = runningMean.part(first, n);
        Tensor rv = runningVariance.part(first, n)) {
      Tensor again = relu && y == null ? b : null;
      Channels c = new Channels(m, i, g, again, running(rm, rv));
      ops.normalization.batchNormalizeBackward(x, y, dy, c, dg, db, accumulate, dresidual, dx);
    }
  }

  /** True if an earlier backward of the step left gradients to add to. */
  boolean hasGradient() {
    return gamma.hasGradient();
  }

  void gradientComplete() {
    gamma.gradientComplete();
    beta.gradientComplete();
  }

  /**
   * Lets the statistics go, at the end of backward or where none follows; those of a batch have
   * moved the running ones.
   */
  void releaseStatistics() {
    if (mean != runningMean) batchesTracked++;
    mean.close();
    invStd.close();
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor dx = Layer.gradientOver(dy, name);
    backward(dy, null, dx);
    if (dx != dy) dy.close();
    return dx;
  }

  /**
   * Backward of {@link #forward(Tensor, Tensor, Mode)} with a residual: afterwards {@code dy},
   * which nobody else may own, holds the residual's gradient and stays the caller's; the gradient
   * of x is returned.
   */
  public Tensor backwardThroughSum(Tensor dy) {
    Tensor dx = backend.allocateLike(dy, Category.ACTIVATION_GRADIENT, name + ".din");
    backward(dy, dy, dx);
    return dx;
  }

  private void backward(Tensor dy, Tensor dresidual, Tensor dx) {
    backward(input, output, dy, 0, gamma.hasGradient(), dresidual, dx);
    input.close();
    if (output != null) output.close();
    releaseStatistics();
    gradientComplete();
  }

  @Override
  public void describe(StateDict state) {
    Layer.super.describe(state);
    state.add(runningMean);
    state.add(runningVariance);
    state.add(name + ".num_batches_tracked", () -> batchesTracked, n -> batchesTracked = n);
  }

  @Override
  public void initialize(RandomGenerator random) {
    Layer.super.initialize(random);
    ops.elementwise.fill(runningMean, 0);
    ops.elementwise.fill(runningVariance, 1);
  }

  @Override
  public void close() {
    Layer.super.close();
    runningMean.close();
    runningVariance.close();
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(gamma, beta);
  }
}
