package slimvox.optim;

/** When the optimizer moves a parameter. */
public enum UpdateTime {
  /** When all gradients are complete: none changes anything if one is not finite. */
  AFTER_BACKWARD,
  /**
   * As soon as a parameter's own gradient is complete; the gradient is dropped at once, so that the
   * gradients of one layer exist at a time. The bits are the same. A gradient that is not finite
   * stops the run before its own parameter is moved; those behind it have moved by then.
   */
  IN_BACKWARD
}
