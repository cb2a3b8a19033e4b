package slimvox.backend;

/** Training of binary networks; sign(0) = sign(-0) = +1, NaN stays NaN. */
public final class Binary {
  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /**
     * alpha[o] = mean |W[o, ...]| and binary = alpha sign(W), or sign(W) if not {@code scaled}:
     * weight and binary O x ..., alpha O.
     */
    default void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {}

    /**
     * dweight = (dweight +) the gradient of the real weights from that of alpha sign(W), see {@link
     * BinaryGradient}; dweight may be dbinary.
     */
    default void binarizeFiltersBackward(
        Tensor weight,
        Tensor alpha,
        BinaryGradient gradient,
        Tensor dbinary,
        Tensor dweight,
        boolean accumulate) {}

    /**
     * y = sign(x + shift) with a border of +1: x N x H x W x C, shift C or null for 0, y N x (H + 2
     * p) x (W + 2 p) x C, p taken from the shapes.
     */
    default void signActivation(Tensor x, Tensor shift, Tensor y) {}

    /**
     * dx = dy max(0, 2 - 2 |x + shift|): ApproxSign, the derivative of the parabolas that stand in
     * for sign (Bi-Real Net, arXiv 1808.00278); dy has the border, which is left out.
     */
    default void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {}

    /** Each row of y times the vector {@code scale}. */
    default void scaleRows(Tensor scale, Tensor y) {}

    /** y = z where z = x + shift is above 0, else slope z; shift C or null for 0; y may be x. */
    default void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {}

    /** Scratch bytes of {@link #preluBackward}. */
    default long preluBackwardWorkspace(long rows, int channels) {
      return 0;
    }

    /**
     * Backward of {@link #prelu}: dx = dy where z > 0, else slope dy; dslope = (dslope +) sum over
     * the rows of dy z where z &lt;= 0, summed as in {@link Matrices.Kernels#columnSums}. dx may be
     * dy.
     */
    default void preluBackward(
        Tensor x,
        Tensor shift,
        Tensor slope,
        Tensor dy,
        Tensor dx,
        Tensor dslope,
        boolean accumulate,
        Tensor workspace) {}
  }

  private final Kernels kernels;
  private final Check check;

  Binary(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** See {@link Kernels#binarizeFilters}. */
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    filters(weight, alpha, binary);
    kernels.binarizeFilters(weight, scaled, alpha, binary);
  }

  /** See {@link Kernels#binarizeFiltersBackward}. */
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    filters(weight, alpha, dbinary);
    Check.same(weight, dweight);
    kernels.binarizeFiltersBackward(weight, alpha, gradient, dbinary, dweight, accumulate);
  }

  private static void filters(Tensor weight, Tensor alpha, Tensor binary) {
    Check.same(weight, binary);
    Check.fit(alpha.size() == weight.shape().get(0), "one scale per filter", weight, alpha);
  }

  /** See {@link Kernels#signActivation}. */
  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    bordered(x, shift, y);
    kernels.signActivation(x, shift, y);
  }

  /** See {@link Kernels#signActivationBackward}. */
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    bordered(x, shift, dy);
    Check.alike(x, dx);
    kernels.signActivationBackward(x, shift, dy, dx);
  }

  private static void bordered(Tensor x, Tensor shift, Tensor y) {
    Shape s = x.shape();
    int border = (y.shape().get(1) - s.get(1)) / 2;
    if (border < 0) throw Check.unfit("a border around", x, y);
    Check.real(y);
    Check.expect(Shape.of(s.get(0), s.get(1) + 2 * border, s.get(2) + 2 * border, s.get(3)), y);
    Check.channels(x, shift);
  }

  /** See {@link Kernels#scaleRows}. */
  public void scaleRows(Tensor scale, Tensor y) {
    Check.channels(y, scale);
    kernels.scaleRows(scale, y);
  }

  /** See {@link Kernels#prelu}. */
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    Check.channels(x, slope, shift);
    Check.alike(x, y);
    kernels.prelu(x, shift, slope, y);
  }

  /** See {@link Kernels#preluBackward}. */
  public void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate) {
    Check.channels(x, slope, shift, dslope);
    Check.alike(x, dy, dx);
    check.with(
        dslope,
        kernels.preluBackwardWorkspace(x.shape().rows(), x.shape().get(-1)),
        w -> kernels.preluBackward(x, shift, slope, dy, dx, dslope, accumulate, w));
  }
}
