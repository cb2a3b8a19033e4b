package slimvox.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
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

/**
 * How much faster than real time WeSpeaker's log-mel features of white noise are computed, by the
 * clock and by the time that a core was at work on them.
 */
@Command(name = "features", description = "Measure log-mel features.")
public final class FeaturesBench extends Subcommand {
  private static final Duration WARM_UP = Duration.ofSeconds(1);
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  @Option(names = "--seconds", paramLabel = "S", description = "Length of the recording.")
  private double seconds = 60;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads, each with a recording of its own.")
  private int threads = 1;

  @Option(
      names = "--runs",
      paramLabel = "K",
      description = "Runs that are measured, after some to warm up.")
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
    Queue<Double> cpuMs = new ConcurrentLinkedQueue<>();
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      Timing wall = Timing.measure(WARM_UP, runs, () -> all(fbank, noises, pool, cpuMs));
      double[] last = cpuMs.stream().mapToDouble(ms -> ms).toArray();
      int from = last.length - threads * runs;
      report(fbank.frames(samples), wall, Timing.of(Arrays.copyOfRange(last, from, last.length)));
    }
    return 0;
  }

  private static void all(
      Fbank fbank, List<Waveform> noises, ExecutorService pool, Queue<Double> cpuMs) {
    CompletableFuture<?>[] features =
        noises.stream()
            .map(noise -> CompletableFuture.runAsync(() -> timed(fbank, noise, cpuMs), pool))
            .toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(features).join();
  }

  private static void timed(Fbank fbank, Waveform noise, Queue<Double> cpuMs) {
    long begun = THREADS.getCurrentThreadCpuTime();
    fbank.compute(noise, "noise");
    cpuMs.add((THREADS.getCurrentThreadCpuTime() - begun) * 1e-6);
  }

  private void report(int frames, Timing timing, Timing cpu) {
    double factor = threads * seconds * 1000 / timing.median();
    Values values = new Values();
    values.put("seconds", seconds);
    values.put("threads", threads);
    values.put("frames", frames);
    values.put("median_ms", timing.median());
    values.put("best_ms", timing.best());
    values.put("real_time_factor", factor);
    values.put("real_time_factor_per_thread", factor / threads);
    values.put("cpu_median_ms", cpu.median());
    values.put("cpu_best_ms", cpu.best());
    values.put("real_time_factor_per_core", seconds * 1000 / cpu.median());
    result(
        values.text(
            "{real_time_factor:%.0f} times real time ({real_time_factor_per_thread:%.0f} a thread,"
                + " {real_time_factor_per_core:%.0f} a core): {median_ms:%.1f} ms for"
                + " {seconds:%.0f} s of speech"),
        values);
  }
}
