package slimvox.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.train.Embedder;

/** Times float32 inference: features in, embeddings out. */
@Command(
    name = "embed",
    description = {
      "Measure how many utterances a second become embeddings, in float32 on the processor.",
      "Weights and features are random numbers; packed networks: 'slimvox bench binary'."
    },
    sortOptions = false)
final class BenchEmbedCommand extends Subcommand {
  /** So long what the JVM compiles takes a core away from what is measured. */
  private static final long WARM_UP_NANOS = 3_000_000_000L;

  @Mixin private ModelOptions model;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Utterances at once. Default ${DEFAULT-VALUE}.")
  private int batch = 1;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of an utterance. Default ${DEFAULT-VALUE}, of three seconds.")
  private int frames = 298;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; 0: all cores. Default ${DEFAULT-VALUE}.")
  private int threads = 0;

  @Option(
      names = "--runs",
      paramLabel = "K",
      description =
          "Runs that are measured, after three seconds to warm up. Default ${DEFAULT-VALUE}.")
  private int runs = 20;

  @Override
  public Integer call() {
    range("--batch", batch, 1, 4096);
    range("--frames", frames, 16, 100_000);
    range("--threads", threads, 0, 4096);
    range("--runs", runs, 1, 1_000_000);
    ModelSpec spec = model.spec(this);
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      network.initialize(new Random(1));
      note(backend.device().description());
      report(spec, measure(network, spec), backend.device().description());
    }
    return 0;
  }

  /** Milliseconds of each run, ascending. */
  private double[] measure(Network network, ModelSpec spec) {
    List<Features> utterances = new ArrayList<>();
    Random random = new Random(2);
    for (int n = 0; n < batch; n++) {
      float[] values = new float[Features.length(frames, spec.bins())];
      for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
      utterances.add(new Features(values, frames, spec.bins()));
    }
    double[] ms = new double[runs];
    try (Embedder embedder = Embedder.frozen(network)) {
      long begin = System.nanoTime();
      do embedder.embed(utterances);
      while (System.nanoTime() - begin < WARM_UP_NANOS);
      for (int run = 0; run < runs; run++) {
        long start = System.nanoTime();
        embedder.embed(utterances);
        ms[run] = (System.nanoTime() - start) * 1e-6;
      }
    }
    Arrays.sort(ms);
    return ms;
  }

  private void report(ModelSpec spec, double[] ms, String device) {
    double median = ms[runs / 2];
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("model", spec.name());
    values.put("pooling", spec.pooling().key());
    values.put("batch", batch);
    values.put("frames", frames);
    values.put("threads", threads);
    values.put("runs", runs);
    values.put("median_ms", median);
    values.put("best_ms", ms[0]);
    values.put("utterances_per_second", 1000 * batch / median);
    values.put("best_utterances_per_second", 1000 * batch / ms[0]);
    values.put("real_time_factor", 10.0 * frames * batch / median);
    values.put("device", device);
    result(
        String.format(
            Locale.ROOT,
            "%.1f utterances/s (%.0f times real time): %.1f ms for %d of %d frames, best %.1f ms",
            1000 * batch / median,
            10.0 * frames * batch / median,
            median,
            batch,
            frames,
            ms[0]),
        values);
  }
}
