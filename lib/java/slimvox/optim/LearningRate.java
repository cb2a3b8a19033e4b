package slimvox.optim;

/**
 * A learning rate that depends on the iteration.
 *
 * <p>An iteration is one optimizer step; the first has number 0. Rates are computed in double
 * precision, and an iteration after the last one keeps following the formula.
 */
public sealed interface LearningRate
    permits ConstantRate, CosineDecrease, ExponentialDecrease, LinearWarmup {

  /** Returns the rate that the optimizer step with this number, counted from 0, uses. */
  double at(long iteration);
}
