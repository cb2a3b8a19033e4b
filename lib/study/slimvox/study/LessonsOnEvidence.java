package slimvox.study;

import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.apache.commons.math3.distribution.BinomialDistribution;
import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.stat.descriptive.moment.StandardDeviation;

/** The exercises of the notebooks 00, 08, 09 and 10. */
final class LessonsOnEvidence {
  private LessonsOnEvidence() {}

  /** The factor of a 95 % interval at these degrees of freedom. */
  static double student(int freedom) {
    return new TDistribution(freedom).inverseCumulativeProbability(0.975);
  }

  static void addAll() {
    quickStart();
    binaryResNet();
    samePhrase();
    significance();
  }

  private static void quickStart() {
    double[] errors = {Math.rint(0.057 * 1809), 0.057 * 5000};
    Exercise.add("00.1", "", 0.002, () -> errors)
        .not(new double[] {errors[1], errors[0]}, "exchanged: targets first")
        .not(errors[0] + errors[1], "this is the sum; both kinds are asked for")
        .not(new double[] {1809 - errors[0], 5000 - errors[1]}, "these are the right decisions");
    Exercise.add("00.2", "", 1e-6, () -> 1)
        .not(0.05, "minDCF is divided by the cost of the better of the two simple answers")
        .not(0.95 / 0.05, "this is always saying yes")
        .not(0, "every target is missed");
    Exercise.add("00.3", "MiB", 0.002, () -> 282.2 * 22 / 43)
        .not(282.2 / 2, "22 is not quite half of 43")
        .not(282.2, "activations are in proportion to the batch")
        .not(282.2 * 43 / 22, "upside down: the batch gets smaller");
  }

  private static double[] interval(double factor, double... differences) {
    double mean = DoubleStream.of(differences).average().orElseThrow();
    double half =
        factor * new StandardDeviation().evaluate(differences) / Math.sqrt(differences.length);
    return new double[] {mean - half, mean + half};
  }

  private static void binaryResNet() {
    Exercise.add("08.1", "", 0.001, () -> Math.log(24))
        .not(Math.log(24) / Math.log(2), "the loss takes the natural logarithm")
        .not(Math.log10(24), "the loss takes the natural logarithm")
        .not(1 / 24.0, "this is the probability; the loss is minus its logarithm");
    Exercise.add(
            "08.2",
            "",
            0,
            () ->
                IntStream.rangeClosed(1, 20)
                    .filter(n -> 2 / Math.pow(2, n) < 0.05)
                    .min()
                    .orElseThrow())
        .not(5, "all plus or all minus: that is twice as likely as all plus")
        .not(3, "with three runs it happens once in four times")
        .not(20, "this is one in 0.05");
    double[] runs = {-1.74, -1.35, -0.69};
    Exercise.add("08.3", "", 0.03, () -> interval(student(2), runs))
        .not(new double[] {-1.74, -0.69}, "this is the range of the runs, not an interval")
        .not(interval(1.96, runs), "1.96 is for many runs; with 2 degrees of freedom it is 4.30")
        .not(interval(1, runs), "this is one standard error to each side");
  }

  private static void samePhrase() {
    Exercise.add("09.1", "%", 0.002, () -> 100 / 18.0)
        .not(1 / 18.0, "a fraction; percent are asked for")
        .not(18, "so many targets there are; what is one of them in percent?")
        .not(50 / 18.0, "a target is missed or not: there are no halves");
    var signs = new BinomialDistribution(null, 16, 0.5);
    Exercise.add("09.2", "", 0.01, () -> 2 * signs.cumulativeProbability(4))
        .not(signs.cumulativeProbability(4), "this is one side; nobody said before which one")
        .not(2 * signs.probability(4), "12 *or more* on one side")
        .not(12 / 16.0, "this is the share; how likely is it by chance?");
    Exercise.add("09.3", "", 0, () -> new double[] {6 * 3, 18 * 17 / 2 - 6 * 3})
        .not(new double[] {18, 153}, "the pairs of one speaker are in these 153")
        .not(new double[] {36, 270}, "every pair is counted twice")
        .not(new double[] {6, 135}, "three recordings make three pairs");
  }

  private static void significance() {
    Exercise.add("10.1", "", 0.002, () -> 1 - Math.pow(5 / 6.0, 6))
        .not(Math.pow(5 / 6.0, 6), "so often a speaker is *not* in the draw")
        .not(1, "with replacement: some come twice, so others do not come")
        .not(1 - Math.exp(-1), "this is the limit for many speakers");
    Exercise.add("10.2", "", 1e-6, () -> new double[] {0.03, 0.06, 0.06})
        .not(new double[] {0.03, 0.12, 0.09}, "times three each is Bonferroni's rule")
        .not(new double[] {0.03, 0.04, 0.06}, "no p may be below that of a smaller one before it")
        .not(new double[] {0.01, 0.04, 0.03}, "these are the uncorrected ones");
    Exercise.add(
            "10.3",
            "",
            0,
            () ->
                IntStream.rangeClosed(2, 100)
                    .filter(n -> student(2 * n - 2) * 2.5 / Math.sqrt(n) <= 1)
                    .findFirst()
                    .orElseThrow())
        .not(25, "1.96 is for many runs; with few the factor is larger")
        .not(7, "this is for one standard error")
        .not(100, "this is for half a point");
  }
}
