package slimvox.backend;

/**
 * The numbers of one step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019),
 * PyTorch's rule.
 *
 * <p>Adam: g = gradient + weightDecay p. AdamW ({@code decoupled}): p = p (1 - learningRate
 * weightDecay), g = gradient. Then m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p =
 * p - learningRate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
 *
 * <p>A step on {@link Quantized} moments has two guards, where rounding would do what no gradients
 * can; a book that is {@link CodeBook#nearestOnly} has neither.
 *
 * <ul>
 *   <li>By the inequality of Cauchy and Schwarz |m| is at most C_t sqrt(v) with {@code C_t^2 = (1 -
 *       beta1)^2 / (1 - beta2) sum (beta1^2 / beta2)^k}, k from 0 to t - 1: with betas of 0.9 and
 *       0.999 3.16 in the first step and 7.27 at last. So what m is divided by is at least |m| / (c
 *       sqrt(1 - beta2^t)), c the smaller of C_t at last and 2 C_t.
 *   <li>The nearest code can hold m where it is for ever, and the parameter would move for ever. So
 *       where a gradient is exactly 0 and the scale of its block stays above (1 + beta1) / 2 of
 *       what it was, a code that stands for more than 2 / (1 + beta1) of m gives way to the next
 *       one nearer to zero.
 * </ul>
 *
 * @param step t, from 1
 */
public record AdamStep(
    double learningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    boolean decoupled,
    long step) {

  /** The largest |m| / sqrt(v) after this step, whatever the gradients were: C_t. */
  public double largestRatio() {
    return ratio(step);
  }

  /** The first guard: what |m| is multiplied with to become the least that it is divided by. */
  public float leastRoot() {
    double most = Math.min(2 * ratio(step), ratio(Double.POSITIVE_INFINITY));
    return (float) (1 / (most * Math.sqrt(1 - Math.pow(beta2, step))));
  }

  /** The second guard: (1 + beta1) / 2. */
  public float keep() {
    return (float) ((1 + beta1) / 2);
  }

  private double ratio(double steps) {
    double r = beta1 * beta1 / Math.max(beta2, Double.MIN_NORMAL);
    double terms = r == 1 ? steps : (1 - Math.pow(r, steps)) / (1 - r);
    return (1 - beta1) * Math.sqrt(terms / (1 - beta2));
  }
}
