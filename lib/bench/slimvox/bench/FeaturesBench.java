package slimvox.bench;

import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Waveform;
import slimvox.cli.Subcommand;
import slimvox.report.Values;

/** How much faster than real time WeSpeaker's log-mel features of white noise are computed. */
@Command(name = "features", description = "Measure log-mel features.", sortOptions = false)
public final class FeaturesBench extends Subcommand {
  private static final Duration WARM_UP = Duration.ofSeconds(1);

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

  @Option(
      names = "--runs",
      paramLabel = "K",
      description = "Runs that are measured, after some to warm up. Default ${DEFAULT-VALUE}.")
  private int runs = 15;

  @Override
  public Integer call() {
    range("--threads", threads, 1, 4096);
    range("--runs", runs, 1, 1_000_000);
    if (!(seconds >= 0.025 && seconds <= 3600)) {
      throw usage("--seconds " + seconds + " is not possible; give 0.025 to 3600");
    }
    Fbank fbank = new Fbank(FbankOptions.wespeaker());
    int rate = fbank.options().sampleRate();
    int samples = (int) Math.round(seconds * rate);
    List<Waveform> noises =
        IntStream.range(0, threads)
            .mapToObj(t -> Noise.values(new SplittableRandom(t), samples, 0.1))
            .map(values -> new Waveform(values, rate))
            .toList();
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      report(fbank.frames(samples), Timing.measure(WARM_UP, runs, () -> all(fbank, noises, pool)));
    }
    return 0;
  }

  private static void all(Fbank fbank, List<Waveform> noises, ExecutorService pool) {
    CompletableFuture<?>[] features =
        noises.stream()
            .map(noise -> CompletableFuture.supplyAsync(() -> fbank.compute(noise, "noise"), pool))
            .toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(features).join();
  }

  private void report(int frames, Timing timing) {
    double factor = threads * seconds * 1000 / timing.median();
    Values values = new Values();
    values.put("seconds", seconds);
    values.put("threads", threads);
    values.put("frames", frames);
    values.put("median_ms", timing.median());
    values.put("best_ms", timing.best());
    values.put("real_time_factor", factor);
    values.put("real_time_factor_per_thread", factor / threads);
    result(
        values.text(
            "{real_time_factor:%.0f} times real time ({real_time_factor_per_thread:%.0f} a thread):"
                + " {median_ms:%.1f} ms for {seconds:%.0f} s of speech"),
        values);
  }
}
