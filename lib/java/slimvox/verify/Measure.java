package slimvox.verify;

/** An error measure that systems are compared by; less is better. */
public enum Measure {
  /** The equal error rate in per cent. */
  EER,
  /** The normalised minDCF with p_target 0.05. */
  MIN_DCF;

  /** The format of its values. */
  String number() {
    return this == EER ? "%.2f" : "%.4f";
  }

  /** What tables call it. */
  @Override
  public String toString() {
    return this == EER ? "EER" : "minDCF";
  }
}
