package slimvox.bench;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.cli.DeclaredOptions;
import slimvox.cli.Subcommand;
import slimvox.embed.Embedder;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.recipe.RunSettings;
import slimvox.report.Values;
import slimvox.settings.Key;

/** Times float32 inference: features in, embeddings out. */
@Command(
    name = "embed",
    description = {
      "Measure how many utterances a second become embeddings on the processor.",
      "Weights and features are random numbers; packed networks: 'slimvox bench binary'."
    })
public final class EmbedBench extends Subcommand {
  private static final Duration WARM_UP = Duration.ofSeconds(3);

  @Option(names = "--batch", paramLabel = "N", description = "Utterances at once.")
  private int batch = 1;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of an utterance. Default ${DEFAULT-VALUE}, of three seconds.")
  private int frames = 298;

  @Option(
      names = "--runs",
      paramLabel = "K",
      description = "Runs that are measured, after three seconds to warm up.")
  private int runs = 20;

  /** The command; picocli fills in its options. */
  public EmbedBench() {
    super(
        Stream.concat(
                Stream.of(DeclaredOptions.OF_NETWORK),
                Stream.of("run.math", "run.precision", "run.threads"))
            .toArray(String[]::new));
  }

  @Override
  public Integer call() {
    range("--batch", batch, 1, 4096);
    range("--frames", frames, 16, 100_000);
    range("--runs", runs, 1, 1_000_000);
    ModelSpec spec = flags.model();
    RunSettings run = flags.recipe().run();
    try (Backend backend =
            Backends.open("cpu", run.threads(), run.mathMode(), MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend).withActivations(run.activations())) {
      network.initialize(new Random(1));
      note(network.computation());
      report(spec, measure(network, spec), backend.device().description());
    }
    return 0;
  }

  private Timing measure(Network network, ModelSpec spec) {
    Random random = new Random(2);
    List<Features> utterances =
        Stream.generate(() -> Noise.features(random, frames, spec.bins())).limit(batch).toList();
    try (Embedder embedder = Embedder.frozen(network)) {
      return Timing.measure(WARM_UP, runs, () -> embedder.embed(utterances));
    }
  }

  private void report(ModelSpec spec, Timing timing, String device) {
    double median = timing.median();
    Values values = new Values();
    values.put("model", spec.name());
    values.put("pooling", Key.of(spec.pooling()));
    values.put("batch", batch);
    values.put("frames", frames);
    values.put("threads", flags.recipe().run().threads());
    values.put("runs", runs);
    values.put("median_ms", median);
    values.put("best_ms", timing.best());
    values.put("utterances_per_second", 1000 * batch / median);
    values.put("best_utterances_per_second", 1000 * batch / timing.best());
    values.put("real_time_factor", 10.0 * frames * batch / median);
    values.put("device", device);
    result(
        values.text(
            "{utterances_per_second:%.1f} utterances/s ({real_time_factor:%.0f} times real time):"
                + " {median_ms:%.1f} ms for {batch} of {frames} frames, best {best_ms:%.1f} ms"),
        values);
  }
}
