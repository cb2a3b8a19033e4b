package slimvox.verify;

import java.util.Locale;
import slimvox.verify.DetectionCurve.EqualErrorRate;
import slimvox.verify.DetectionCurve.MinDcf;
import slimvox.verify.DetectionCurve.Ties;

/**
 * The result of a verification experiment, with everything needed to compare it.
 *
 * @param eerPercent EER, ties merged (VoxSRC, scikit-learn): the one to quote
 * @param eerWespeakerPercent EER, ties in file order (WeSpeaker, NIST)
 * @param eerThreshold score at which the first EER is reached
 * @param minDcf normalised minDCF, ties in file order (Kaldi, WeSpeaker, VoxSRC)
 * @param minDcfMerged normalised minDCF, ties merged
 * @param minDcfThreshold score of the last trial rejected at {@code minDcf}
 * @param pTarget prior of a target trial in both
 * @param targets number of target trials
 * @param nontargets number of nontarget trials
 * @param trialList name of the trial list
 * @param sha256 hash of the trial list, in hexadecimal
 * @param scoring rule that made the scores; null if it is not known, as of a score file
 */
public record Verification(
    double eerPercent,
    double eerWespeakerPercent,
    double eerThreshold,
    double minDcf,
    double minDcfMerged,
    double minDcfThreshold,
    double pTarget,
    int targets,
    int nontargets,
    String trialList,
    String sha256,
    String scoring) {

  /** Measures with p_target 0.05 and unit costs. */
  public static Verification of(Scores scores) {
    return of(scores, DetectionCost.VOXSRC);
  }

  /** Measures a scored trial list; one without targets or nontargets is refused. */
  public static Verification of(Scores scores, DetectionCost cost) {
    return of(scores.curve(), scores, cost);
  }

  /** Measures a curve of these scores that is at hand. */
  public static Verification of(DetectionCurve curve, Scores scores, DetectionCost cost) {
    Trials trials = scores.trials();
    return of(curve, cost, trials.name(), trials.sha256(), scores.scoring());
  }

  /** Measures a curve of a list with this name, checksum and way of scoring. */
  public static Verification of(
      DetectionCurve curve, DetectionCost cost, String trialList, String sha256, String scoring) {
    EqualErrorRate eer = curve.equalErrorRate();
    MinDcf dcf = curve.minDcf(cost);
    return new Verification(
        eer.percent(),
        curve.equalErrorRate(Ties.FILE_ORDER).percent(),
        eer.threshold(),
        dcf.value(),
        curve.minDcf(cost, Ties.MERGED).value(),
        dcf.threshold(),
        cost.pTarget(),
        curve.targets(),
        curve.nontargets(),
        trialList,
        sha256,
        scoring);
  }

  /** Number of trials. */
  public int trials() {
    return targets + nontargets;
  }

  /** One line with the numbers and what they are. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "EER %.3f %%, minDCF(p_target %s) %.4f%s,"
            + " %,d targets + %,d nontargets of %s (sha256 %s)",
        eerPercent,
        pTarget,
        minDcf,
        scoring == null ? "" : " by " + scoring,
        targets,
        nontargets,
        trialList,
        sha256.substring(0, Math.min(12, sha256.length())));
  }
}
