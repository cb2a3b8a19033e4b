package slimvox.study;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.commons.csv.CSVRecord;
import slimvox.data.Corpus;
import slimvox.data.FeatureSource;
import slimvox.nn.BinaryScheme;
import slimvox.recipe.Recipe;
import slimvox.storage.AtomicFile;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.RunLog;
import slimvox.train.Trainer;
import slimvox.train.TrainingData;
import slimvox.verify.CosineScoring;
import slimvox.verify.Scores;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/**
 * Several training runs for one comparison: some at a time, and none a second time.
 *
 * <p>Each run has a folder of its own below a common one, named after it and its recipe's hash, so
 * a changed recipe is another run. What is finished is read from there; what was killed goes on
 * from its last checkpoint. After training the run is scored, on trial lists of its validation
 * corpus or on its recipe's own trials.
 *
 * <p>A run that starts from another, or learns from it, is added after that one is finished: its
 * recipe names {@link Outcome#checkpoint()}, and so it is another run when the earlier one is.
 */
public final class TrainingRuns {
  /** The name under which the scores of the recipe's own trials are, {@code data.trials}. */
  public static final String TRIALS = "trials";

  private static final String CALIBRATED = "-calibrated";

  /**
   * What a finished run gave.
   *
   * @param name what it was added as
   * @param recipe its settings
   * @param losses one a step
   * @param stepSeconds of all steps together, without waiting for data
   * @param scores by trial list
   * @param checkpoint the trained network
   */
  public record Outcome(
      String name,
      Recipe recipe,
      double[] losses,
      double stepSeconds,
      Map<String, Scores> scores,
      Path checkpoint) {
    /** The EER on a list, in percent. */
    public double eer(String list) {
      return scores.get(list).curve().equalErrorRate().percent();
    }

    /** The recipe's own trials, measured. */
    public Verification verification() {
      return Verification.of(scores.get(TRIALS));
    }

    /**
     * The recipe's own trials, measured after {@link Trainer#calibrate}.
     *
     * @throws IllegalStateException if this run was not calibrated
     */
    public Verification calibrated() {
      return Verification.of(calibratedScores());
    }

    /**
     * The scores of the recipe's own trials after {@link Trainer#calibrate}.
     *
     * @throws IllegalStateException if this run was not calibrated
     */
    public Scores calibratedScores() {
      Scores calibrated = scores.get(TRIALS + CALIBRATED);
      if (calibrated != null) return calibrated;
      throw new IllegalStateException(name + " was not calibrated");
    }

    /** The mean loss of each stretch of {@code steps} steps; a rest is left out. */
    public double[] meanLosses(int steps) {
      double[] means = new double[losses.length / steps];
      for (int i = 0; i < means.length; i++) {
        for (int k = 0; k < steps; k++) means[i] += losses[i * steps + k] / steps;
      }
      return means;
    }
  }

  /** Told how the runs get on. */
  @FunctionalInterface
  public interface Progress {
    /**
     * {@code done} of {@code total} runs are finished, {@code run} the last of them. Called on the
     * thread that called {@link #run}.
     */
    void finished(Outcome run, int done, int total);

    /** A run has taken a step. Called on the run's own thread. */
    default void stepped(String run, Listener.Step step) {}
  }

  private final Path folder;
  private final List<String> lists;
  private final Map<String, Recipe> recipes = new LinkedHashMap<>();
  private int calibration;

  /**
   * No runs yet; each will be scored on its recipe's own trials, under the name {@link #TRIALS}.
   *
   * @param folder for the runs' folders
   */
  public TrainingRuns(Path folder) {
    this(folder, List.of());
  }

  /**
   * No runs yet.
   *
   * @param folder for the runs' folders
   * @param lists trial lists of the validation corpus to score at the end of each run
   */
  public TrainingRuns(Path folder, List<String> lists) {
    this.folder = folder;
    this.lists = List.copyOf(lists);
  }

  /**
   * Adds a run.
   *
   * @param name of letters, digits, dots and hyphens
   * @throws IllegalArgumentException if there is a run of this name or the name is no file name
   */
  public TrainingRuns add(String name, Recipe recipe) {
    if (!name.matches("[A-Za-z0-9.-]+")) {
      throw new IllegalArgumentException(
          "'%s' names no run; use letters, digits, dots and hyphens".formatted(name));
    }
    if (recipes.putIfAbsent(name, recipe) != null) {
      throw new IllegalArgumentException("there is a run " + name + " already");
    }
    return this;
  }

  /**
   * Has networks that are evaluated with other weights than they are trained with ({@link
   * slimvox.nn.BinaryScheme#PAPER}) scored a second time, after {@link Trainer#calibrate}.
   *
   * @param batches what batch normalization's statistics are estimated from
   */
  public TrainingRuns calibrating(int batches) {
    calibration = batches;
    return this;
  }

  /** How many runs there are. */
  public int size() {
    return recipes.size();
  }

  /**
   * Trains what is not finished yet.
   *
   * <p>Interrupted, as by a notebook's stop button, the runs save a checkpoint and stop; a later
   * call goes on.
   *
   * @param atOnce runs that go on at a time; {@code run.threads} of the recipes says how many
   *     threads each has
   * @return the outcomes by name, in the order in which the runs were added
   * @throws InterruptedException if this thread was interrupted before all runs were finished
   */
  public Map<String, Outcome> run(int atOnce, Progress progress) throws InterruptedException {
    Map<String, Outcome> outcomes = new LinkedHashMap<>();
    for (String name : recipes.keySet()) outcomes.put(name, null);
    try (ExecutorService threads = Executors.newFixedThreadPool(atOnce)) {
      var service = new ExecutorCompletionService<Outcome>(threads);
      List<Future<Outcome>> running = new ArrayList<>();
      for (var run : recipes.entrySet()) {
        running.add(service.submit(() -> outcome(run.getKey(), run.getValue(), progress)));
      }
      try {
        for (int done = 1; done <= running.size(); done++) {
          Outcome outcome = service.take().get();
          outcomes.put(outcome.name, outcome);
          progress.finished(outcome, done, running.size());
        }
      } catch (ExecutionException e) {
        if (e.getCause() instanceof InterruptedException) throw new InterruptedException();
        if (e.getCause() instanceof RuntimeException cause) throw cause;
        if (e.getCause() instanceof Error cause) throw cause;
        throw new IllegalStateException(e.getCause());
      } finally {
        threads.shutdownNow(); // interrupts what still runs if this is left early
      }
    }
    return outcomes;
  }

  private Outcome outcome(String name, Recipe recipe, Progress progress)
      throws InterruptedException {
    Path own = folder.resolve(name + "-" + recipe.hash());
    List<String> kinds = kinds(recipe);
    if (!names().stream()
        .allMatch(list -> kinds.stream().allMatch(k -> Files.exists(file(own, list, k))))) {
      train(name, recipe, own, progress);
    }
    Map<String, Scores> scores = new LinkedHashMap<>();
    for (String list : names()) {
      Trials trials = trials(recipe, list);
      for (String kind : kinds) {
        Scores read = Scores.read(file(own, list, kind), trials);
        scores.put(list + kind, read.scoredBy(CosineScoring.plain().toString()));
      }
    }
    List<CSVRecord> steps = new ArrayList<>();
    RunLog.steps(own, steps::add);
    double milliseconds =
        steps.stream().mapToDouble(step -> Double.parseDouble(step.get("step_ms"))).sum();
    double[] losses =
        steps.stream().mapToDouble(step -> Double.parseDouble(step.get("loss"))).toArray();
    Path checkpoint = Checkpoint.latest(own).orElseThrow();
    return new Outcome(name, recipe, losses, milliseconds / 1000, scores, checkpoint);
  }

  /** Each list is scored as trained, "", and, where that differs, calibrated. */
  private List<String> kinds(Recipe recipe) {
    boolean calibrated = calibration > 0 && recipe.model().binary().scheme() == BinaryScheme.PAPER;
    return calibrated ? List.of("", CALIBRATED) : List.of("");
  }

  private List<String> names() {
    return lists.isEmpty() ? List.of(TRIALS) : lists;
  }

  private Trials trials(Recipe recipe, String list) {
    if (lists.isEmpty()) return TrainingData.trials(recipe.data());
    return TrainingData.trials(Corpus.open(recipe.data().validationFolder()), list);
  }

  private Path file(Path own, String list, String kind) {
    String batches = kind.isEmpty() ? "" : kind + "-" + calibration;
    return own.resolve("scores-" + list + batches + ".txt");
  }

  private void train(String name, Recipe recipe, Path own, Progress progress)
      throws InterruptedException {
    FeatureSource.Progress quiet = FeatureSource.Progress.NONE;
    Listener listener =
        new Listener() {
          @Override
          public void stepped(Step step) {
            progress.stepped(name, step);
          }
        };
    try (Trainer trainer =
        Files.exists(own.resolve("recipe.yaml"))
            ? Trainer.resume(recipe, own, quiet)
            : Trainer.start(recipe, own, quiet)) {
      if (trainer.run(listener).interrupted()) throw new InterruptedException();
      for (String kind : kinds(recipe)) {
        if (kind.equals(CALIBRATED)) trainer.calibrate(calibration);
        for (String list : names()) {
          Trials trials = lists.isEmpty() ? trainer.data().trials() : trainer.trials(list);
          trainer.score(trials, quiet).write(file(own, list, kind), Scores.Format.WESPEAKER);
        }
      }
      AtomicFile.removeLeftovers(own); // as long as nobody else writes here
    }
  }
}
