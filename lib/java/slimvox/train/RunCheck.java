package slimvox.train;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.audio.FbankOptions;
import slimvox.data.Batches;
import slimvox.data.Corpus;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.SurroundingsSettings;
import slimvox.recipe.DataSettings;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;

/** What can be known of a run before it starts: what it lacks, and how long it takes. */
public final class RunCheck {
  private static final int STEPS = 10;
  private static final int BEFORE = 2; // not measured: what compiles itself while it runs
  private static final ThreadMXBean ALLOCATION = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** What makes the files that the shipped recipes of VoxCeleb name. */
  private static final Map<String, String> SCRIPTS =
      Map.of(
          "voxceleb", "data-scripts/voxceleb.py",
          "vox1-o.txt", "data-scripts/voxceleb.py",
          "vox1-e.txt", "data-scripts/voxceleb.py",
          "vox1-h.txt", "data-scripts/voxceleb.py",
          "noise.scp", "data-scripts/musan.py",
          "rirs.scp", "data-scripts/rirs.py");

  private RunCheck() {}

  /** Of each file that a recipe names and that is not there a sentence that says how to get it. */
  public static List<String> missing(DataSettings data) {
    List<String> missing = new ArrayList<>();
    Path corpus = data.validationFolder();
    require(missing, data.trainFolder(), "data.trainCorpus");
    if (!corpus.equals(data.trainFolder())) require(missing, corpus, "data.validationCorpus");
    boolean listed = data.folds() == 0 && Files.exists(corpus);
    for (String list : listed ? data.trials() : List.<String>of()) {
      String plain = Corpus.isBehindChannel(list) ? Corpus.withoutChannel(list) : list;
      Path trials = corpus.resolve("trials");
      if (Files.exists(Path.of(plain)) || Files.exists(trials.resolve(plain))) continue;
      require(missing, trials.resolve(plain + ".txt"), "data.trials");
    }
    SurroundingsSettings around = data.surroundings();
    if (around.noises() != null)
      require(missing, Path.of(around.noises()), "data.surroundings.noises");
    if (around.rooms() != null)
      require(missing, Path.of(around.rooms()), "data.surroundings.rooms");
    return missing;
  }

  private static void require(List<String> missing, Path path, String setting) {
    if (Files.exists(path)) return;
    String script = SCRIPTS.get(path.getFileName().toString());
    missing.add(
        script == null
            ? path + " is not there: correct " + setting
            : path + " is not there: " + script + " makes it, and says what to download");
  }

  /**
   * How long a run takes.
   *
   * @param steps of the whole run
   * @param secondsPerStep of computing, or of making its examples where that takes longer
   * @param exampleBytes that a thread of the loader allocates to make an example, besides its place
   *     in a batch and garbage included: sound, noise or room, features; a mean, 0 where features
   *     are there
   */
  public record Pace(long steps, double secondsPerStep, long exampleBytes) {
    /** Hours for what is left after so many steps. */
    public double hours(long done) {
      return (steps - done) * secondsPerStep / 3600;
    }
  }

  /**
   * Opens a run to measure it, which computes nothing before its first step and leaves nothing on
   * disk.
   */
  public static Trainer trainer(Recipe recipe) throws InterruptedException {
    Integer read = recipe.run().lossEvery();
    return Trainer.of(
        recipe.with(
            "data.source=streaming",
            "run.validateEvery=0 steps",
            "run.lossEvery=" + (read == null ? "null" : Math.min(read, STEPS))));
  }

  /**
   * Whether the latest checkpoint of a run is of this recipe and validated, which with {@code
   * run.validateEvery=100 %} the last one is.
   */
  public static boolean isFinished(Path run, Recipe recipe) {
    Path latest = Checkpoint.latest(run).orElse(null);
    if (latest == null || !Files.exists(run.resolve(RunLog.VALIDATIONS))) return false;
    String step = Long.toString(Checkpoint.step(latest));
    List<String> validated = new ArrayList<>();
    RunLog.validations(run, line -> validated.add(line.get("step")));
    return validated.contains(step) && CheckpointFile.recipe(latest).hash().equals(recipe.hash());
  }

  /**
   * Measures ten steps, which are trained: the trainer is of no other use afterwards. Steps whose
   * losses are read together share their time, so that the first such group is left out.
   *
   * @param trainer made by {@link #trainer}
   * @param recipe of the run, whose examples may come from elsewhere
   * @throws InterruptedException if this thread was interrupted before
   */
  public static Pace pace(Trainer trainer, Recipe recipe) throws InterruptedException {
    boolean copies = trainer.network().backend().device().memory().stages();
    int together = trainer.recipe().run().readEvery(copies);
    int before = Math.ceilDiv(BEFORE, together) * together;
    int all = before + Math.ceilDiv(STEPS, together) * together;
    List<Listener.Step> told = new ArrayList<>();
    Listener measuring =
        new Listener() {
          @Override
          public void stepped(Step step) {
            told.add(step);
            if (told.size() == all) Thread.currentThread().interrupt();
          }
        };
    boolean interrupted = trainer.run(measuring).interrupted();
    Thread.interrupted(); // passed on by the trainer
    if (interrupted && told.size() < all) throw new InterruptedException();
    double nanos =
        told.stream()
            .skip(Math.min(before, told.size() - 1))
            .mapToLong(step -> step.result().nanos())
            .average()
            .orElseThrow();
    Making making = areMade(trainer, recipe.data()) ? making(trainer) : new Making(0, 0);
    double seconds = Math.max(nanos, making.nanos) / 1e9;
    return new Pace(told.getFirst().steps(), seconds, making.exampleBytes);
  }

  /** Whether the run makes features while it trains. */
  private static boolean areMade(Trainer trainer, DataSettings data) {
    if (data.isPerExample() || data.source() != null) {
      return data.isPerExample() || data.source() == DataSettings.Source.STREAMING;
    }
    if (data.cacheFolder() != null) return false;
    Corpus train = trainer.data().train();
    FbankOptions fbank = data.frontEnd().fbank(trainer.data().batches().bins());
    long bytes = FeatureReader.of(train, fbank, data.speeds()).bytes(train.utterances());
    return bytes > FeatureMemory.room();
  }

  private record Making(double nanos, long exampleBytes) {}

  private static Making making(Trainer trainer) {
    // The loader begins ahead: in so few steps it is not waited for, in a run it may be.
    Batches batches = trainer.data().batches();
    long allocated = ALLOCATION.getCurrentThreadAllocatedBytes();
    long begun = System.nanoTime();
    int made = Math.min(BEFORE, batches.batchesPerEpoch());
    for (int i = 0; i < made; i++) batches.batch(0, i);
    double making = (System.nanoTime() - begun) / (double) made;
    int threads = trainer.recipe().data().loaderThreads();
    long bytes = ALLOCATION.getCurrentThreadAllocatedBytes() - allocated;
    long example = bytes / ((long) made * trainer.recipe().run().batch());
    long place = 4L * trainer.recipe().data().frames() * batches.bins(); // of a batch, made anew
    return new Making(
        making / Math.min(threads, Runtime.getRuntime().availableProcessors()), example - place);
  }
}
