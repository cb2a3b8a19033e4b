package slimvox.backend;

/**
 * How the gradient of binary weights reaches the real ones behind them.
 *
 * <p>With W~ = alpha sign(W) and alpha = mean |W| over the n weights of a filter, D = dL/dW~ and r
 * = 1 where |W| &lt;= 1, else 0. The derivative of sign is 0 almost everywhere; all four put r in
 * its place (the straight-through estimator of Bengio, Leonard and Courville 2013, arXiv
 * 1308.3432).
 */
public enum BinaryGradient {
  /** dW = D r: the scale counts as a constant of 1 (ReActNet's and Larq's form). */
  STE,
  /** dW = D alpha r: the scale counts as a constant. */
  ALPHA,
  /** dW = D (1/n + alpha r), as printed in XNOR-Net (arXiv 1603.05279). */
  XNOR,
  /** dW = sign(W)/n sum(D sign(W)) + D alpha r: the chain rule, the scale differentiated too. */
  EXACT
}
