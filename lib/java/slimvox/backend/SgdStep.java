package slimvox.backend;

/**
 * The numbers of one step of stochastic gradient descent, PyTorch's rule.
 *
 * <p>g = gradient + weightDecay p; b = g in the first step, else momentum b + (1 - dampening) g; p
 * = p - learningRate (nesterov ? g + momentum b : b). Without momentum p = p - learningRate g.
 *
 * <p>On a {@link Quantized} buffer b is let go where a gradient is exactly 0, as m is in {@link
 * AdamStep}.
 *
 * @param first true in the first step, when the momentum buffer has no content yet
 */
public record SgdStep(
    float learningRate,
    float momentum,
    float dampening,
    float weightDecay,
    boolean nesterov,
    boolean first) {

  /** As in {@link AdamStep#keep}; 0 in the first step, in which b is not kept. */
  public float keep() {
    return first ? 0 : (1 + momentum) / 2;
  }
}
