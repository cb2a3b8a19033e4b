package slimvox.study;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import slimvox.data.FeatureSource;
import slimvox.memory.Category;
import slimvox.notebook.Notebook;
import slimvox.notebook.Size;
import slimvox.recipe.Recipe;
import slimvox.step.NonFiniteException;
import slimvox.storage.AtomicFile;
import slimvox.study.Experiment.Run;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.RunLog;
import slimvox.train.Trainer;
import slimvox.verify.Replicates;

/**
 * Trains and measures the runs of an experiment that have no summary yet, some at a time, and reads
 * the summaries of those that have.
 *
 * <p>Each is an ordinary run in a folder of its own, named after its hash: killed, it goes on from
 * its last checkpoint, and two experiments that have the same run share it. Features are computed
 * once and kept in files, which the runs map, but for those behind channels that are drawn anew for
 * each example. A run has one thread, so that it ends in the same bits however many go on beside
 * it.
 */
public final class ExperimentRuns {
  private final Experiment experiment;
  private final Places places;
  private final Evaluation evaluation;
  private final Summaries summaries;
  private final Map<Path, Object> locks = new ConcurrentHashMap<>();
  private boolean fresh;

  /** The runs of an experiment, none looked at yet; a corpus without its trial lists is refused. */
  public ExperimentRuns(Experiment experiment, Places places) {
    this.experiment = experiment;
    this.places = places;
    evaluation = new Evaluation(experiment, places);
    summaries = new Summaries(experiment, places.results(), evaluation);
  }

  /**
   * The results that a notebook shows. At size default the runs that are missing are made under a
   * panel, all of them anew where {@code notebooks/lab --run NN --fresh} asks for it; at others,
   * and with {@code --stored}, they are those that are there, see {@link PaperRuns} for what size
   * paper trains.
   *
   * @throws InterruptedException if the cell was stopped; what goes on has saved a checkpoint
   */
  public static ExperimentResults inNotebook(Experiment experiment) throws InterruptedException {
    ExperimentRuns runs = new ExperimentRuns(experiment, Places.ofProject());
    if (Notebook.size() != Size.DEFAULT || System.getenv("SLIMVOX_STORED") != null) {
      return runs.results();
    }
    if (System.getenv("SLIMVOX_FRESH") != null) runs.remove(List.of());
    try (RunsPanel panel = new RunsPanel(experiment.statement().title())) {
      return runs.run(List.of(), jobs(), panel);
    }
  }

  /** How many runs go on at a time if nobody says: one a core, two at most. */
  public static int jobs() {
    return Math.min(2, Runtime.getRuntime().availableProcessors());
  }

  /** What the runs made so far gave, and notes on files left out; refuses what is no summary. */
  public ExperimentResults results() {
    List<String> notes = new ArrayList<>();
    Map<Run, Summary> found = summaries.read(notes);
    return new ExperimentResults(experiment, found, notes);
  }

  /** Removes results and run folders, so that these variants, or with none all, are made anew. */
  public void remove(List<String> variants) {
    fresh = true;
    for (Run run : runs(variants)) {
      summaries.remove(run);
      if (!run.candidate().isBaseline()) Places.remove(folder(run));
    }
  }

  private List<Run> runs(List<String> variants) {
    variants.forEach(experiment::candidate); // are known
    return experiment.runs().stream()
        .filter(run -> variants.isEmpty() || variants.contains(run.candidate().name()))
        .toList();
  }

  /**
   * Makes the runs that have no summary. One whose loss is not finite any more is left without one,
   * the others go on.
   *
   * @param variants their names; none: all
   * @param jobs runs that go on at a time
   * @return all results, those made earlier among them
   * @throws InterruptedException if this thread was interrupted; what goes on has saved a
   *     checkpoint
   * @throws slimvox.storage.InputException if a file or setting cannot be used
   */
  public ExperimentResults run(List<String> variants, int jobs, RunsProgress progress)
      throws InterruptedException {
    summaries.clean();
    List<String> notes = new ArrayList<>();
    Map<Run, Summary> found = summaries.read(notes);
    notes.forEach(progress::noted);
    List<Run> missing = runs(variants).stream().filter(run -> !found.containsKey(run)).toList();
    progress.began(missing.size());
    if (!missing.isEmpty()) {
      evaluation.requireCorpus();
      notes.addAll(make(missing, jobs, progress));
    }
    return new ExperimentResults(experiment, summaries.read(new ArrayList<>()), notes);
  }

  /** What became of a run: it has a summary, or a reason why it has none. */
  private record Ended(Run run, Summary summary, String failure) {}

  /** Makes some runs; returns why some ended without a result, a sentence each. */
  private List<String> make(List<Run> missing, int jobs, RunsProgress progress)
      throws InterruptedException {
    List<String> failures = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(jobs)) {
      var ended = new ExecutorCompletionService<Ended>(threads);
      for (Run run : missing) ended.submit(() -> end(run, progress));
      try {
        for (int done = 1; done <= missing.size(); done++) {
          Ended run = ended.take().get();
          if (run.failure != null) {
            failures.add(run.failure);
            progress.noted(run.failure);
          }
          progress.finished(run.run, run.summary, done);
        }
      } catch (ExecutionException e) {
        switch (e.getCause()) {
          case InterruptedException _ -> throw new InterruptedException();
          case RuntimeException cause -> throw cause;
          case Error cause -> throw cause;
          default -> throw new IllegalStateException(e.getCause());
        }
      } finally {
        threads.shutdownNow(); // interrupts what still runs if this is left early
      }
    }
    return failures;
  }

  private Ended end(Run run, RunsProgress progress) throws InterruptedException {
    try {
      Summary summary = fresh ? null : summaries.elsewhere(run);
      if (summary == null) {
        summary =
            run.candidate().isBaseline()
                ? write(run, null, evaluation.baseline(run.candidate()))
                : train(run, progress, this::summary);
      }
      return new Ended(run, summary, null);
    } catch (NonFiniteException e) {
      return new Ended(run, null, "%s: %s".formatted(run.name(), e.getMessage()));
    }
  }

  /** Where a run is trained. */
  private Path folder(Run run) {
    return places.runs().resolve(experiment.recipe(run).hash());
  }

  /** A run that has taken its last step. */
  private record Trained(Run run, Path folder, Trainer trainer, Double cpuSeconds) {}

  /** What is done with a trained network. */
  private interface Use<T> {
    T of(Trained trained) throws InterruptedException;
  }

  /** Trains what is left to train of a run, and of those that it starts from. */
  private <T> T train(Run run, RunsProgress progress, Use<T> use) throws InterruptedException {
    for (Run needed : experiment.startsFrom(run)) train(needed, progress, _ -> null);
    Path folder = folder(run);
    Recipe recipe =
        places
            .located(
                experiment.recipe(run, other -> Checkpoint.latest(folder(other)).orElseThrow()))
            .with("run.threads=1");
    // What is drawn anew for each example is faster from sound in memory than from files.
    if (!recipe.data().channel().isOn()) {
      recipe = recipe.with("data.cacheFolder=" + places.features());
    }
    RunTime time = new RunTime(run, progress);
    synchronized (locks.computeIfAbsent(folder, _ -> new Object())) {
      FeatureSource.Progress quiet = FeatureSource.Progress.NONE;
      try (Trainer trainer =
          Files.exists(folder.resolve("recipe.yaml"))
              ? Trainer.resume(recipe, folder, quiet)
              : Trainer.start(recipe, folder, quiet)) {
        if (trainer.run(time).interrupted()) throw new InterruptedException();
        T result = use.of(new Trained(run, folder, trainer, time.seconds()));
        AtomicFile.removeLeftovers(folder); // as long as nobody else writes here
        return result;
      }
    }
  }

  /** Passes the steps of a run on and takes the CPU time of the thread that trains. */
  private static final class RunTime implements Listener {
    private final Run run;
    private final RunsProgress progress;
    private final ThreadMXBean clock = ManagementFactory.getThreadMXBean();
    private long before;
    private long firstStep;
    private Double seconds;

    RunTime(Run run, RunsProgress progress) {
      this.run = run;
      this.progress = progress;
    }

    @Override
    public void stepped(Step step) {
      progress.stepped(run, step);
    }

    @Override
    public void started(Start start) {
      firstStep = start.firstStep();
      before = clock.getCurrentThreadCpuTime();
    }

    @Override
    public void finished(End end) {
      if (end.step() == firstStep) return;
      double part = (end.step() - firstStep) / (double) end.step();
      seconds = (clock.getCurrentThreadCpuTime() - before) / 1e9 / part;
    }

    /** Of all steps; null if there were none left. */
    Double seconds() {
      return seconds;
    }
  }

  private Summary summary(Trained trained) throws InterruptedException {
    Run run = trained.run;
    Summary.Training training = training(trained);
    int batches = run.candidate().calibrate();
    if (batches > 0) trained.trainer.calibrate(batches);
    return write(run, training, evaluation.measure(trained.trainer));
  }

  private Summary write(Run run, Summary.Training training, Map<String, Replicates> lists) {
    Summary summary =
        new Summary(
            run.candidate().name(),
            run.seed(),
            experiment.settings(run.candidate()),
            experiment.hash(run),
            evaluation.corpus(),
            Notebook.version(),
            training,
            lists);
    return summaries.write(run, summary);
  }

  private static Summary.Training training(Trained trained) {
    long[] peakBytes = {0};
    double[] milliseconds = {0};
    RunLog.steps(
        trained.folder,
        line -> {
          peakBytes[0] = Math.max(peakBytes[0], Long.parseLong(line.get("peak_bytes")));
          milliseconds[0] += Double.parseDouble(line.get("step_ms"));
          milliseconds[0] += Double.parseDouble(line.get("data_wait_ms"));
        });
    RunLog.LastQuarter last = RunLog.lastQuarter(trained.folder);
    Trainer trainer = trained.trainer;
    return new Summary.Training(
        trainer.step(),
        rounded(100 * last.accuracyWithoutMargin()),
        rounded(last.loss()),
        rounded(milliseconds[0] / 1000),
        trained.cpuSeconds == null ? null : rounded(trained.cpuSeconds),
        peakBytes[0],
        trainer.ledger().bytes(Category.OPTIMIZER_STATE),
        trainer.network().state().parameterCount());
  }

  /** Six digits: more say nothing, and files stay short. */
  private static double rounded(double value) {
    return Double.parseDouble(String.format(Locale.ROOT, "%.6g", value));
  }
}
