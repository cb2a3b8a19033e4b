package slimvox.nn;

/** Why a layer runs forward. */
public enum Mode {
  /**
   * A training step: batch statistics, what backward needs is kept. Backward moves the running
   * statistics; until then no state has changed.
   */
  TRAIN,
  /**
   * A training step of a layer that will be recomputed before backward: as {@link #TRAIN}, but
   * activations are not kept. Small statistics (mean and deviation of a batch normalization) are,
   * so that recomputing gives the same output.
   */
  TRAIN_WITHOUT_KEEPING,
  /**
   * The second forward of a recomputed layer: the statistics of the first are used again, no state
   * changes, what backward needs is kept.
   */
  RECOMPUTE,
  /**
   * Estimates the running statistics anew for the weights of evaluation: batch statistics, running
   * statistics move, nothing is kept, nothing is learned. Differs from evaluation's function only
   * where a network is evaluated with other weights than it is trained with, as some binary ones.
   */
  CALIBRATE,
  /** Running statistics; nothing is kept, no state changes. */
  EVALUATE;

  /** True if backward will follow this forward. */
  public boolean keeps() {
    return this == TRAIN || this == RECOMPUTE;
  }

  /** True if the batch statistics of an earlier forward are used. */
  public boolean reusesStatistics() {
    return this == RECOMPUTE;
  }

  /** True in a training step: batch statistics stay, and weights are those of training. */
  public boolean keepsStatistics() {
    return this != CALIBRATE && this != EVALUATE;
  }
}
