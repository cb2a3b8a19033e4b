package slimvox.verify;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.BitSet;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Times EER and minDCF on made-up scores, 37 million unless told otherwise.
 *
 * <p>The time runs from scores and labels in memory to both EERs and both minDCFs; memory is the
 * peak of the Java heap's pools over that time, less what the scores and labels themselves take.
 */
public final class MetricsBenchmark {
  /** Number of trials of the comparison with scikit-learn, which takes 12 s for them. */
  public static final int TRIALS = 37_000_000;

  private MetricsBenchmark() {}

  /**
   * What was measured.
   *
   * @param trials number of scores
   * @param firstSeconds first run, with the JVM still cold
   * @param seconds fastest run
   * @param heapPeakBytes upper limit of the heap used beyond scores and labels, garbage included
   * @param verification the numbers found
   */
  public record Result(
      int trials,
      double firstSeconds,
      double seconds,
      long heapPeakBytes,
      Verification verification) {
    /** One line. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%,d scores: %.2f s (first run %.2f s), heap beyond them %.0f MiB; EER %.3f %%",
          trials,
          seconds,
          firstSeconds,
          heapPeakBytes / 1048576.0,
          verification.eerPercent());
    }
  }

  /**
   * Measures.
   *
   * @param trials number of scores: normally distributed, one in thirty a target, no rounding
   * @param runs how often, 1 or more
   */
  public static Result run(int trials, int runs) {
    double[] scores = new double[trials];
    BitSet targets = new BitSet(trials);
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < trials; i++) {
      boolean target = random.nextInt(30) == 0;
      if (target) targets.set(i);
      scores[i] = random.nextGaussian() * 0.12 + (target ? 0.6 : 0.1);
    }
    double first = 0;
    double fastest = Double.POSITIVE_INFINITY;
    long peak = 0;
    Verification result = null;
    for (int run = 0; run < runs; run++) {
      System.gc();
      long before = heapBytes(false);
      long start = System.nanoTime();
      DetectionCurve curve = DetectionCurve.of(scores, targets::get);
      result = Verification.of(curve, DetectionCost.VOXSRC, "made up", "none", null);
      double seconds = (System.nanoTime() - start) / 1e9;
      peak = Math.max(peak, heapBytes(true) - before);
      if (run == 0) first = seconds;
      fastest = Math.min(fastest, seconds);
    }
    return new Result(trials, first, fastest, peak, result);
  }

  /** Heap in use now, or the sum of the pools' peaks since the last call for "now". */
  private static long heapBytes(boolean peak) {
    long sum = 0;
    for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
      if (pool.getType() != MemoryType.HEAP) continue;
      if (!peak) pool.resetPeakUsage();
      sum += (peak ? pool.getPeakUsage() : pool.getUsage()).getUsed();
    }
    return sum;
  }

  /** Prints the result for 37 million scores, or as many as the first argument says. */
  public static void main(String[] args) {
    System.out.println(run(args.length == 0 ? TRIALS : Integer.parseInt(args[0]), 3));
  }
}
