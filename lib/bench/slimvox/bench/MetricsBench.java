package slimvox.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.BitSet;
import java.util.SplittableRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import slimvox.cli.Subcommand;
import slimvox.report.Values;
import slimvox.verify.DetectionCost;
import slimvox.verify.DetectionCurve;
import slimvox.verify.Verification;

/**
 * Times EER and minDCF on made-up scores: normally distributed, one in thirty a target.
 *
 * <p>The time runs from scores and labels in memory to both EERs and both minDCFs; memory is the
 * peak of the Java heap's pools over that time, less what the scores and labels themselves take.
 */
@Command(name = "metrics", description = "Measure EER and minDCF.")
public final class MetricsBench extends Subcommand {
  @Option(names = "--trials", paramLabel = "N", description = "Number of scores.")
  private int trials = 37_000_000; // scikit-learn takes 12 s for them

  @Option(names = "--runs", paramLabel = "N", description = "How often; the fastest counts.")
  private int runs = 3;

  private Verification verification;

  @Override
  public Integer call() {
    range("--trials", trials, 1000, 1_000_000_000);
    range("--runs", runs, 1, 1000);
    double[] scores = new double[trials];
    BitSet targets = new BitSet(trials);
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < trials; i++) {
      boolean target = random.nextInt(30) == 0;
      if (target) targets.set(i);
      scores[i] = random.nextGaussian() * 0.12 + (target ? 0.6 : 0.1);
    }
    double[] seconds = new double[runs];
    long peak = 0;
    for (int run = 0; run < runs; run++) {
      System.gc();
      long before = heapBytes(false);
      seconds[run] = Timing.once(() -> verification = verify(scores, targets)) / 1000;
      peak = Math.max(peak, heapBytes(true) - before);
    }
    report(seconds[0], Timing.of(seconds).best(), peak);
    return 0;
  }

  private static Verification verify(double[] scores, BitSet targets) {
    DetectionCurve curve = DetectionCurve.of(scores, targets::get);
    return Verification.of(curve, DetectionCost.VOXSRC, "made up", "none", null);
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

  private void report(double first, double best, long peak) {
    Values values = new Values();
    values.put("trials", trials);
    values.put("seconds", best);
    values.put("first_seconds", first);
    values.put("heap_peak_bytes", peak);
    values.put("eer_percent", verification.eerPercent());
    values.put("min_dcf", verification.minDcf());
    result(
        values.text(
            "{trials:%,d} scores: {seconds:%.2f} s (first run {first_seconds:%.2f} s), heap beyond"
                + " them {heap_peak_bytes:%.0f MiB}; EER {eer_percent:%.3f} %"),
        values);
  }
}
