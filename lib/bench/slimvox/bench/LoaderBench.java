package slimvox.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.audio.FbankOptions;
import slimvox.cli.Subcommand;
import slimvox.data.Batches;
import slimvox.data.Corpus;
import slimvox.data.FeatureReader;
import slimvox.data.SoundSource;
import slimvox.recipe.Recipe;
import slimvox.report.Values;
import slimvox.train.TrainingData;

/** How many training examples a core makes: read, played, heard with noise or in a room, fbank. */
@Command(
    name = "loader",
    description = "Measure the making of training examples that are streamed, on one thread.")
public final class LoaderBench extends Subcommand {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  @Parameters(paramLabel = "CORPUS", description = "Corpus folder.")
  private Path folder;

  @Option(names = "--noise", paramLabel = "LIST", description = "List of noises. Default: none.")
  private Path noise;

  @Option(names = "--rooms", paramLabel = "LIST", description = "List of rooms. Default: none.")
  private Path rooms;

  @Option(
      names = "--probability",
      paramLabel = "P",
      description = "Share of examples with noise or in a room.")
  private double probability = 0.6;

  @Option(
      names = "--speeds",
      paramLabel = "S",
      split = ",",
      description = "Speeds of the recordings. Default 0.9,1,1.1.")
  private List<Double> speeds = List.of(0.9, 1.0, 1.1);

  @Option(names = "--dither", paramLabel = "D", description = "Dither of the features.")
  private float dither;

  @Option(names = "--frames", paramLabel = "T", description = "Frames of an example.")
  private int frames = 200;

  @Option(names = "--batch", paramLabel = "N", description = "Examples of a batch.")
  private int batch = 32;

  @Option(
      names = "--runs",
      paramLabel = "K",
      description = "Batches that are measured, after as many to warm up.")
  private int runs = 50;

  @Override
  public Integer call() {
    range("--frames", frames, 1, 100_000);
    range("--batch", batch, 1, 100_000);
    range("--runs", runs, 1, 1_000_000);
    if (!(probability >= 0 && probability <= 1)) {
      throw usage("--probability " + probability + " is not possible; give 0 to 1");
    }
    if (!(dither >= 0 && dither <= 1000)) {
      throw usage("--dither " + dither + " is not possible; give 0 to 1000");
    }
    Corpus corpus = Corpus.open(folder);
    List<Double> oneFirst = new ArrayList<>(speeds);
    oneFirst.sort(Comparator.comparing(s -> s != 1.0));
    FeatureReader reader =
        FeatureReader.of(corpus, FbankOptions.wespeaker().dithered(dither), oneFirst);
    Recipe recipe =
        Recipe.defaults()
            .with(
                "run.batch=" + batch,
                "data.frames=" + frames,
                "data.surroundings.noises=" + noise,
                "data.surroundings.rooms=" + rooms,
                "data.surroundings.probability=" + probability);
    Batches batches =
        new Batches(corpus, new SoundSource(reader, false), TrainingData.batchSettings(recipe));
    double[] ms = new double[runs];
    for (int i = -runs; i < runs; i++) {
      int place = i + runs;
      long start = THREADS.getCurrentThreadCpuTime();
      batches.batch(place / batches.batchesPerEpoch(), place % batches.batchesPerEpoch());
      if (i >= 0) ms[i] = (THREADS.getCurrentThreadCpuTime() - start) * 1e-6;
    }
    report(Timing.of(ms));
    return 0;
  }

  private void report(Timing timing) {
    Values values = new Values();
    values.put("frames", frames);
    values.put("batch", batch);
    values.put("probability", noise == null && rooms == null ? 0 : probability);
    values.put("speeds", speeds.toString());
    values.put("median_ms_per_example", timing.median() / batch);
    values.put("best_ms_per_example", timing.best() / batch);
    values.put("examples_per_cpu_s", 1000 * batch / timing.median());
    result(
        values.text(
            "{examples_per_cpu_s:%.0f} examples of {frames} frames a CPU second:"
                + " {median_ms_per_example:%.2f} ms an example"),
        values);
  }
}
