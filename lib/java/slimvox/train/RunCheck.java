package slimvox.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.data.Batches;
import slimvox.data.Corpus;
import slimvox.recipe.DataSettings;

/** What can be known of a run before it starts: what it lacks, and how long it takes. */
public final class RunCheck {
  private static final int STEPS = 10;
  private static final int BEFORE = 2; // not measured: what compiles itself while it runs

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
    DataSettings.Surroundings around = data.surroundings();
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
   */
  public record Pace(long steps, double secondsPerStep) {
    /** Hours for what is left after so many steps. */
    public double hours(long done) {
      return (steps - done) * secondsPerStep / 3600;
    }
  }

  /**
   * Measures ten steps, which are trained: the trainer is of no other use afterwards.
   *
   * @param trainer a new run that leaves nothing on disk, see {@link Trainer#of}
   * @throws InterruptedException if this thread was interrupted before
   */
  public static Pace pace(Trainer trainer) throws InterruptedException {
    List<Listener.Step> told = new ArrayList<>();
    Listener measuring =
        new Listener() {
          @Override
          public void stepped(Step step) {
            told.add(step);
            if (told.size() == BEFORE + STEPS) Thread.currentThread().interrupt();
          }
        };
    boolean interrupted = trainer.run(measuring).interrupted();
    Thread.interrupted(); // passed on by the trainer
    if (interrupted && told.size() < BEFORE + STEPS) throw new InterruptedException();
    double nanos =
        told.stream()
            .skip(Math.min(BEFORE, told.size() - 1))
            .mapToLong(step -> step.result().nanos())
            .average()
            .orElseThrow();
    // The loader begins ahead: in so few steps it is not waited for, in a run it may be.
    Batches batches = trainer.data().batches();
    long begun = System.nanoTime();
    int made = Math.min(BEFORE, batches.batchesPerEpoch());
    for (int i = 0; i < made; i++) batches.batch(0, i);
    double making = (System.nanoTime() - begun) / (double) made;
    int threads = trainer.recipe().data().loaderThreads();
    making /= Math.min(threads, Runtime.getRuntime().availableProcessors());
    return new Pace(told.getFirst().steps(), Math.max(nanos, making) / 1e9);
  }
}
