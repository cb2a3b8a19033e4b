package slimvox.nn;

/** Why a layer runs forward. */
public enum Mode {
  /** A training step: batch statistics, running statistics move, what backward needs is kept. */
  TRAIN,
  /**
   * A training step of a layer that will be recomputed before backward: batch statistics, running
   * statistics move, activations are not kept. Small statistics (mean and deviation of a batch
   * normalization) are, so that recomputing gives the same output.
   */
  TRAIN_WITHOUT_KEEPING,
  /**
   * The second forward of a recomputed layer: the statistics of the first are used again, no state
   * changes, what backward needs is kept.
   */
  RECOMPUTE,
  /**
   * The forward of an unfinished step once more, only to look at its values: the statistics of the
   * first are used again, nothing is kept, no state changes.
   */
  REPEAT,
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
    return this == RECOMPUTE || this == REPEAT;
  }

  /** True if batch statistics stay for what follows in the step. */
  public boolean keepsStatistics() {
    return this != CALIBRATE && this != EVALUATE;
  }

  /** True if running statistics and other state move; exactly once a step. */
  public boolean movesState() {
    return this == TRAIN || this == TRAIN_WITHOUT_KEEPING || this == CALIBRATE;
  }

  /** True in a training step; false where the weights are those of evaluation. */
  public boolean runsTrainingWeights() {
    return this != EVALUATE && this != CALIBRATE;
  }
}
