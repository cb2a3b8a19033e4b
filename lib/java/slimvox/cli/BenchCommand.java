package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import slimvox.audio.FbankBenchmark;
import slimvox.verify.MetricsBenchmark;

/** Measures speed. */
@Command(
    name = "bench",
    description =
        "Measure a training step, an optimizer, inference, binary networks, the features or the"
            + " metrics.",
    synopsisSubcommandLabel = "(step|optimizer|embed|binary|features|metrics)",
    subcommands = {
      BenchStepCommand.class,
      BenchOptimizerCommand.class,
      BenchEmbedCommand.class,
      BenchBinaryCommand.class,
      BenchCommand.FeaturesBench.class,
      BenchCommand.MetricsBench.class
    })
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "say what to measure: bench step, bench optimizer, bench embed, bench binary, bench"
            + " features or bench metrics");
  }

  /** Log-mel features of noise. */
  @Command(name = "features", description = "Measure log-mel features.", sortOptions = false)
  static final class FeaturesBench extends Subcommand {
    @Option(
        names = "--seconds",
        paramLabel = "S",
        description = "Length of the recording. Default ${DEFAULT-VALUE}.")
    private double seconds = 60;

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "Threads, each with a recording of its own. Default ${DEFAULT-VALUE}.")
    private int threads = 1;

    @Override
    public Integer call() {
      range("--threads", threads, 1, 4096);
      if (!(seconds >= 0.025 && seconds <= 3600)) {
        throw usage("--seconds " + seconds + " is not possible; give 0.025 to 3600");
      }
      FbankBenchmark.Result r = FbankBenchmark.run(seconds, threads);
      Map<String, Object> values = new LinkedHashMap<>();
      values.put("seconds", r.seconds());
      values.put("threads", r.threads());
      values.put("frames", r.frames());
      values.put("median_ms", r.medianMs());
      values.put("best_ms", r.bestMs());
      values.put("real_time_factor", r.realTimeFactor());
      values.put("real_time_factor_per_thread", r.realTimeFactorPerThread());
      result(
          String.format(
              Locale.ROOT,
              "%.0f times real time (%.0f a thread): %.1f ms for %.0f s of speech",
              r.realTimeFactor(),
              r.realTimeFactorPerThread(),
              r.medianMs(),
              r.seconds()),
          values);
      return 0;
    }
  }

  /** EER and minDCF of made-up scores. */
  @Command(name = "metrics", description = "Measure EER and minDCF.", sortOptions = false)
  static final class MetricsBench extends Subcommand {
    @Option(
        names = "--trials",
        paramLabel = "N",
        description = "Number of scores. Default ${DEFAULT-VALUE}.")
    private int trials = MetricsBenchmark.TRIALS;

    @Option(
        names = "--runs",
        paramLabel = "N",
        description = "How often; the fastest counts. Default ${DEFAULT-VALUE}.")
    private int runs = 3;

    @Override
    public Integer call() {
      range("--trials", trials, 1000, 1_000_000_000);
      range("--runs", runs, 1, 1000);
      MetricsBenchmark.Result r = MetricsBenchmark.run(trials, runs);
      Map<String, Object> values = new LinkedHashMap<>();
      values.put("trials", r.trials());
      values.put("seconds", r.seconds());
      values.put("first_seconds", r.firstSeconds());
      values.put("heap_peak_bytes", r.heapPeakBytes());
      values.put("eer_percent", r.verification().eerPercent());
      values.put("min_dcf", r.verification().minDcf());
      result(r.toString(), values);
      return 0;
    }
  }
}
