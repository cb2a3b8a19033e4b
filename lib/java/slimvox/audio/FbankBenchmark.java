package slimvox.audio;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;

/** Measures how much faster than real time {@link Fbank} runs. */
public final class FbankBenchmark {
  private static final int WARM_UP_ROUNDS = 5;
  private static final int ROUNDS = 15;

  private FbankBenchmark() {}

  /**
   * One measurement.
   *
   * @param seconds length of the waveform each thread works on
   * @param threads threads working at the same time
   * @param frames frames of one waveform
   * @param medianMs median wall-clock time in which every thread finished one waveform
   * @param bestMs shortest such time
   * @param realTimeFactor seconds of speech processed in a second, all threads together, by the
   *     median
   * @param realTimeFactorPerThread the same divided by the threads
   * @param lanes frames computed at once
   */
  public record Result(
      double seconds,
      int threads,
      int frames,
      double medianMs,
      double bestMs,
      double realTimeFactor,
      double realTimeFactorPerThread,
      int lanes) {}

  /**
   * Computes WeSpeaker's features of white noise again and again.
   *
   * @param seconds length of the noise, 60 for a figure that compares with other programs
   * @param threads threads, each with a waveform of its own
   */
  public static Result run(double seconds, int threads) {
    var fbank = new Fbank(FbankOptions.wespeaker());
    int samples = (int) Math.round(seconds * fbank.options().sampleRate());
    if (fbank.frames(samples) == 0 || threads < 1) {
      throw new IllegalArgumentException(seconds + " seconds, " + threads + " threads");
    }
    List<Callable<Features>> tasks = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      Waveform noise = noise(samples, fbank.options().sampleRate(), t);
      tasks.add(() -> fbank.compute(noise, "noise"));
    }
    var times = new double[ROUNDS];
    try (var pool = Executors.newFixedThreadPool(threads)) {
      for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
        long start = System.nanoTime();
        for (var result : pool.invokeAll(tasks)) {
          result.get();
        }
        if (round >= 0) {
          times[round] = (System.nanoTime() - start) * 1e-6;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
    Arrays.sort(times);
    double median = times[ROUNDS / 2];
    double factor = threads * seconds * 1000 / median;
    return new Result(
        seconds,
        threads,
        fbank.frames(samples),
        median,
        times[0],
        factor,
        factor / threads,
        BatchedRealFft.LANES);
  }

  private static Waveform noise(int samples, int sampleRate, int seed) {
    var random = new SplittableRandom(seed);
    var values = new float[samples];
    for (int i = 0; i < samples; i++) {
      values[i] = (float) (0.1 * random.nextGaussian());
    }
    return new Waveform(values, sampleRate);
  }
}
