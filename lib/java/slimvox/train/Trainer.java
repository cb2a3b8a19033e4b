package slimvox.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.data.Batch;
import slimvox.data.BatchLoader;
import slimvox.data.FeatureSource;
import slimvox.data.ShownProgress;
import slimvox.embed.Embedder;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Network;
import slimvox.recipe.Recipe;
import slimvox.recipe.RunSettings;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Key;
import slimvox.step.CheckpointFile;
import slimvox.step.PlannedTraining;
import slimvox.step.StepBuilder;
import slimvox.step.TrainingStep;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Scores;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/**
 * Trains the network of a {@link Recipe}.
 *
 * <p>With an output folder a run leaves {@code recipe.yaml}, {@code log.csv} (one line a step),
 * {@code validation.csv} and checkpoints there, and can be killed at any instant: opened again with
 * {@link #resume} it goes on from the latest checkpoint and, on the CPU with the same number of
 * threads, ends in the same bits as a run that was never stopped.
 *
 * <p>{@link #run} stops after the current step when its thread is interrupted, as by a notebook's
 * stop button; it saves a checkpoint, returns the memory of the training step, and returns. The
 * network stays usable until {@link #close()}.
 *
 * <p>{@link #run}, {@link #score}, {@link #verify}, {@link #calibrate}, {@link #save} and {@link
 * #close} wait for one another.
 */
public final class Trainer implements AutoCloseable {
  private final Recipe recipe;
  private final Path folder;
  private final TrainingData data;
  private Checkpoint.Inputs inputs;
  private Backend backend; // opened when first asked for: with a budget before any features
  private final PlannedTraining training;
  private final Embedder embedder;
  private final int lossEvery;
  private final int stepsPerEpoch;
  private final Schedules schedules;
  private final long steps;
  private final History history;
  private final ReentrantLock inUse = new ReentrantLock();
  private boolean closed;
  private long lastSaved = -1;
  private final List<String> notes = new ArrayList<>(); // not told yet
  private Map<String, Verification> verifications = Map.of();
  private RunLock lock;

  /** A run that leaves nothing on disk but what {@link #save(String)} is told to. */
  public static Trainer of(Recipe recipe) throws InterruptedException {
    return new Trainer(recipe, null, null, ShownProgress.of("features")).opened(Trainer::startFrom);
  }

  /** {@link #start(Recipe, Path, FeatureSource.Progress)} with progress in a notebook's cell. */
  public static Trainer start(Recipe recipe, String folder) throws InterruptedException {
    return start(recipe, Path.of(folder), ShownProgress.of("features"));
  }

  /**
   * A run that goes on: {@code Trainer.resume("runs/mine", "run.length=3000 steps")} makes it
   * longer.
   *
   * @param run its folder, where it goes on, or a file that {@link #save(String)} wrote
   * @param settings that win over those of the run; which may change is said in {@link
   *     slimvox.settings.Setting}
   * @throws InputException as {@link #resume(Recipe, Path, FeatureSource.Progress)}
   */
  public static Trainer resume(String run, String... settings) throws InterruptedException {
    Path path = Path.of(run);
    return resume(Checkpoint.recipe(path, settings), path, ShownProgress.of("features"));
  }

  /**
   * A new run.
   *
   * @param folder for its results; must not hold a run already
   * @param progress told while features are computed
   * @throws InputException if the folder holds a run, or a setting or file cannot be used
   */
  public static Trainer start(Recipe recipe, Path folder, FeatureSource.Progress progress)
      throws InterruptedException {
    RunFolder.requireEmpty(folder);
    AtomicFile.requireWritable(RunFolder.recipe(folder));
    return new Trainer(recipe, folder, null, progress)
        .opened(
            trainer -> {
              trainer.startFrom();
              RunFolder.make(folder);
              trainer.lock = RunLock.take(folder);
              RunFolder.requireEmpty(folder); // another process may have been faster
              AtomicFile.write(RunFolder.recipe(folder), recipe.toYaml());
            });
  }

  /**
   * A run that goes on from the latest checkpoint of its folder, or from the start if there is
   * none; or from a file that {@link #save(String)} wrote, leaving nothing on disk.
   *
   * @throws InputException if there is no run, one whose recipe differs in what has to stay (before
   *     any features are computed), somebody else trains there, or the checkpoint is damaged
   */
  public static Trainer resume(Recipe recipe, Path run, FeatureSource.Progress progress)
      throws InterruptedException {
    boolean file = Files.isRegularFile(run);
    Path own = RunFolder.recipe(run);
    Path latest = file ? run : Checkpoint.latest(run).orElse(own);
    Recipe earlier = latest == own ? Checkpoint.recipe(run) : CheckpointFile.recipe(latest);
    Checkpoint.requireSame(latest, earlier, recipe);
    return new Trainer(recipe, file ? null : run, file ? null : RunLock.take(run), progress)
        .opened(
            trainer -> {
              Optional<Path> from = file ? Optional.of(run) : Checkpoint.latest(run);
              if (from.isEmpty()) {
                trainer.startFrom();
              } else {
                TrainingStep step = trainer.training.step();
                trainer.notes.addAll(Checkpoint.load(from.get(), recipe, trainer.inputs, step));
                trainer.inputs = trainer.inputs.after(from.get(), recipe);
              }
              trainer.notes.addAll(
                  Schedules.change(earlier, recipe, trainer.data.batches(), trainer.step()));
              // Settings that may change on the way, such as the format of the optimizer's state.
              if (!file) AtomicFile.write(own, recipe.toYaml());
            });
  }

  /**
   * Prepares everything but the weights.
   *
   * @param lock of the folder of a run that goes on, released if that fails; else null
   */
  private Trainer(Recipe recipe, Path folder, RunLock lock, FeatureSource.Progress progress)
      throws InterruptedException {
    this.recipe = recipe;
    this.folder = folder;
    this.history = new History(folder);
    this.lock = lock;
    RunSettings run = recipe.run();
    try {
      if (lock != null) AtomicFile.removeLeftovers(folder);
      this.data = new TrainingData(recipe, progress, this::requireFits);
      this.inputs = Checkpoint.Inputs.of(data.train(), recipe.transfer());
      this.stepsPerEpoch = data.batches().batchesPerEpoch();
      this.schedules = Schedules.of(recipe, data.batches());
      this.steps = schedules.steps();
      this.lossEvery = run.readEvery(open().device().memory().stages());
      this.training =
          new PlannedTraining(
              backend, backend.ledger().budget(), build(recipe, data.batches().classes()));
      training.step().initialize(new SplittableRandom(recipe.seed()));
      if (recipe.transfer().teacher() != null) {
        CheckpointFile.loadTeacher(recipe.transfer().teacherFile(), training.step().teacher());
      }
      if (run.graph() && backend.device().queues()) training.step().runAsOne();
      training.readEvery(lossEvery, run.batch());
      training.prepareStaging(run.batch(), recipe.data().frames());
      training.plan(run.batch(), recipe.data().frames());
      this.embedder = new Embedder(training.step().network()).hearing(recipe.data().frontEnd());
    } catch (InterruptedException | RuntimeException | Error e) {
      if (backend != null) backend.close();
      if (lock != null) lock.close();
      throw e;
    }
  }

  /** The last part of opening a trainer. */
  private interface Opening {
    void finish(Trainer trainer) throws InterruptedException;
  }

  /** This trainer, open; closed if that fails. */
  private Trainer opened(Opening opening) throws InterruptedException {
    try {
      opening.finish(this);
      return this;
    } catch (RuntimeException | InterruptedException | Error e) {
      close();
      throw e;
    }
  }

  /** Takes the weights over that {@code transfer.from} names. */
  private void startFrom() {
    if (recipe.transfer().from() == null) return;
    Path from = recipe.transfer().fromFile();
    notes.addAll(Checkpoint.start(from, training.step(), inputs, data.batches().classes()));
  }

  private Backend open() {
    RunSettings run = recipe.run();
    if (backend == null) {
      backend = Backends.open(Key.of(run.backend()), run.threads(), run.mathMode(), run.budget());
    }
    return backend;
  }

  /** Builds the training step of a recipe on any backend. */
  public static Function<Backend, TrainingStep> build(Recipe recipe, int classes) {
    StepBuilder builder = StepBuilder.of(recipe, classes);
    ModelSpec spec = recipe.model();
    return b -> builder.build(spec, recipe.optimizer().update(), b);
  }

  private long requireFits(int classes, Supplier<Map<String, Integer>> lengths) {
    if (recipe.run().memoryBudget() == null) return Long.MAX_VALUE;
    int every = recipe.run().readEvery(open().device().memory().stages());
    return RunBudget.require(recipe, classes, lengths, backend, every);
  }

  /** What it was told. */
  public Recipe recipe() {
    return recipe;
  }

  /** What it trains on. */
  public TrainingData data() {
    return data;
  }

  /** The network, for as long as this trainer is open. */
  public Network network() {
    return training.step().network();
  }

  /** Embeds utterances with the network as it is now. */
  public Embedder embedder() {
    return embedder;
  }

  /** The ledger of the run. */
  public MemoryLedger ledger() {
    return backend.ledger();
  }

  /** The planned step, for looking at its memory. */
  public PlannedTraining training() {
    return training;
  }

  /** Model, step of steps, batch, backend and the latest loss. */
  @Override
  public String toString() {
    return training.at(steps, recipe.run().batch()) + (closed ? ", closed" : "");
  }

  /** The course of the run so far. */
  public History history() {
    return history;
  }

  /** Number of steps taken. */
  public long step() {
    return training.step().optimizer().steps();
  }

  /**
   * Trains until the last step of the recipe or an interrupt.
   *
   * @return how it ended, as the listener is told
   * @throws IllegalStateException if the trainer is closed
   */
  public Listener.End run(Listener listener) {
    inUse.lock();
    try {
      checkOpen();
      if (folder != null) RunFolder.keep(folder, lock, recipe, listener);
      try (RunLog log = RunLog.in(folder, step(), recipe.data().trials().size())) {
        return run(Listener.all(log, history, listener), log);
      }
    } finally {
      inUse.unlock();
    }
  }

  private void checkOpen() {
    if (closed) throw new IllegalStateException("this trainer is closed; make a new one");
  }

  private Listener.End run(Listener listener, RunLog log) {
    long started = System.nanoTime();
    listener.started(
        new Listener.Start(
            recipe,
            network().state().parameterCount(),
            data.batches().classes(),
            stepsPerEpoch,
            step(),
            steps,
            training.plan(recipe.run().batch(), recipe.data().frames()),
            network().computation(),
            history));
    notes.forEach(listener::noted);
    notes.clear();
    if (step() == 0) data.notes().forEach(listener::noted);
    if (step() >= steps) listener.noted(RunFolder.ended(step()));
    long waited = 0;
    boolean interrupted = false;
    long first = step();
    var queued =
        new QueuedSteps(training, ledger(), listener, stepsPerEpoch, steps, new ArrayList<>());
    int threads = recipe.data().loaderThreads();
    try {
      try (BatchLoader loader = BatchLoader.at(data.batches(), first, threads)) {
        // The interrupt that ended the earlier part may have come within its last validation.
        boolean validated = first == 0 || (log != null && log.isValidated(first));
        if (!validated && recipe.run().validateEvery().isDue(first, stepsPerEpoch, steps))
          validate(listener);
        for (long i = first; i < steps; i++) {
          if (Thread.currentThread().isInterrupted()) throw new InterruptedException();
          long before = loader.waitNanos();
          Batch batch = loader.next();
          long wait = loader.waitNanos() - before;
          waited += wait;
          Batch next = loader.peek();
          float[] following = next == null ? null : next.features();
          double m = schedules.margin().at(i);
          double rate = schedules.rate().at(i);
          training.queue(batch.features(), batch.labels(), m, rate, following);
          queued.queued().add(new QueuedSteps.Queued(i + 1, rate, m, batch.size(), wait));
          boolean validates = recipe.run().validateEvery().isDue(i + 1, stepsPerEpoch, steps);
          boolean saves = recipe.run().checkpointEvery().isDue(i + 1, stepsPerEpoch, steps);
          if (queued.queued().size() == lossEvery || validates || saves || i + 1 == steps) {
            queued.report();
          }
          // In this order: what ends a validation must not cost the steps before it.
          if (saves) save(log, listener);
          if (validates) validate(listener);
        }
      } catch (InterruptedException e) {
        interrupted = true;
        Thread.currentThread().interrupt();
      }
      if (interrupted) {
        queued.report();
        save(log, listener);
        backend.releaseBlock();
      }
    } catch (RuntimeException | Error e) {
      queued.reportDespite(e);
      listener.failed(e);
      throw e;
    }
    Listener.End end =
        new Listener.End(
            step(),
            interrupted,
            (System.nanoTime() - started) / 1e9,
            waited / 1e9,
            verifications,
            backend.ledger().report());
    listener.finished(end);
    return end;
  }

  private void validate(Listener listener) throws InterruptedException {
    if (data.trialLists().isEmpty() || recipe.run().validateEvery().amount() == 0) return;
    verifications = verify(listener::validating);
    listener.validated(step(), verifications);
  }

  /** Measures the network as it is now on all {@code data.trials}, by name, in one pass. */
  public Map<String, Verification> verify(FeatureSource.Progress progress)
      throws InterruptedException {
    return data.verify(embed(data.trialUtterances(), progress));
  }

  /**
   * Estimates the running statistics of batch normalization anew, for the weights of evaluation:
   * some batches run forward, nothing is learned. For networks that are evaluated with other
   * weights than they are trained with ({@link slimvox.nn.BinaryScheme#PAPER}).
   *
   * @param batches how many; the statistics are running means over about the last twenty
   * @throws IllegalStateException if the trainer is closed
   */
  public void calibrate(int batches) throws InterruptedException {
    inUse.lockInterruptibly();
    try {
      checkOpen();
      for (int i = 0; i < batches; i++) {
        Batch batch = data.batches().batch(i / stepsPerEpoch, i % stepsPerEpoch);
        embedder.calibrate(batch.features(), recipe.run().batch());
      }
    } finally {
      inUse.unlock();
    }
  }

  /**
   * Cosine scores of the first validation trials with the network as it is now.
   *
   * @throws InputException if the recipe names no trials
   */
  public Scores score(FeatureSource.Progress progress) throws InterruptedException {
    if (data.trials() == null) {
      throw new InvalidSetting("data.trials", "is not set; name the trials to score");
    }
    return score(data.trials(), progress);
  }

  /**
   * Cosine scores of other trials between utterances of the validation corpus.
   *
   * @throws InputException if the corpus lacks an utterance
   * @throws IllegalStateException if the trainer is closed
   */
  public Scores score(Trials trials, FeatureSource.Progress progress) throws InterruptedException {
    return CosineScoring.plain().score(trials, embed(trials.utterances(), progress));
  }

  private Embeddings embed(Collection<String> utterances, FeatureSource.Progress progress)
      throws InterruptedException {
    inUse.lockInterruptibly();
    try {
      checkOpen();
      return embedder.embed(utterances, data::wholeUtterance, progress);
    } finally {
      progress.close();
      inUse.unlock();
    }
  }

  /** Trials of the validation corpus' folder, by name, as {@link TrainingData#trials}. */
  public Trials trials(String list) {
    return TrainingData.trials(data.validation(), list);
  }

  /**
   * Writes network, classifier and optimizer as they are now: a checkpoint, for {@link
   * #resume(String, String...)}, {@code slimvox embed} and other programs, under WeSpeaker's names.
   *
   * @param file for example {@code mine.safetensors}; replaced if it is there, its folder is made
   * @throws InputException if it cannot be written
   * @throws IllegalStateException if the trainer is closed
   */
  public void save(String file) {
    inUse.lock();
    try {
      checkOpen();
      Path path = Path.of(file).toAbsolutePath();
      RunFolder.make(path.getParent());
      int classes = data.batches().classes();
      Checkpoint.write(path, recipe, training.step(), inputs, classes);
    } finally {
      inUse.unlock();
    }
  }

  private void save(RunLog log, Listener listener) {
    if (folder == null || lastSaved == step()) return;
    RunFolder.keep(folder, lock, recipe, listener);
    log.keep();
    int classes = data.batches().classes();
    Path file = Checkpoint.save(folder, recipe, training.step(), inputs, classes);
    lastSaved = step();
    listener.saved(step(), file);
  }

  /** Returns all memory; does nothing if it has been closed before. */
  @Override
  public void close() {
    inUse.lock();
    try {
      if (closed) return;
      closed = true;
      embedder.close();
      training.close();
      backend.close();
    } finally {
      if (lock != null) lock.close();
      inUse.unlock();
    }
  }
}
