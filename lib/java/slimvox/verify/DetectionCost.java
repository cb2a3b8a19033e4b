package slimvox.verify;

import slimvox.storage.InputException;

/**
 * What errors cost: the parameters of a detection cost function.
 *
 * <p>{@code C(t) = c_miss p_target P_miss(t) + c_fa (1 - p_target) P_fa(t)}, divided by the cost of
 * the better of two systems that do not listen, {@code min(c_miss p_target, c_fa (1 - p_target))}
 * (NIST SRE evaluation plans). Papers differ in p_target, so it is printed with every minDCF.
 *
 * @param pTarget prior probability of a target trial, above 0 and below 1
 * @param missCost cost of rejecting a target, above 0
 * @param falseAlarmCost cost of accepting a nontarget, above 0
 */
public record DetectionCost(double pTarget, double missCost, double falseAlarmCost) {
  /** p_target 0.05, unit costs: VoxSRC, voxceleb_trainer, Kaldi. The default here. */
  public static final DetectionCost VOXSRC = new DetectionCost(0.05, 1, 1);

  /** Refuses values out of range. */
  public DetectionCost {
    if (!(pTarget > 0 && pTarget < 1)) {
      throw InputException.of("p_target %s is not between 0 and 1; 0.05 is usual", pTarget);
    }
    checkCost("c_miss", missCost);
    checkCost("c_fa", falseAlarmCost);
  }

  private static void checkCost(String name, double cost) {
    if (!(cost > 0 && cost < Double.POSITIVE_INFINITY)) {
      throw InputException.of("%s %s is not a positive number; 1 is usual", name, cost);
    }
  }

  /** Unit costs. */
  public static DetectionCost of(double pTarget) {
    return new DetectionCost(pTarget, 1, 1);
  }

  /**
   * The cost of a miss rate and a false-alarm rate, normalised: 1 is no better than not listening.
   */
  public double normalised(double missRate, double falseAlarmRate) {
    double miss = missCost * pTarget;
    double falseAlarm = falseAlarmCost * (1 - pTarget);
    return (miss * missRate + falseAlarm * falseAlarmRate) / Math.min(miss, falseAlarm);
  }
}
