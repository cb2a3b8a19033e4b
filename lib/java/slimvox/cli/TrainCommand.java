package slimvox.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.audio.AudioFiles;
import slimvox.data.Batches;
import slimvox.data.Corpus;
import slimvox.data.FeatureReader;
import slimvox.data.FeatureSource;
import slimvox.recipe.Recipe;
import slimvox.report.Bytes;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.RunCheck;
import slimvox.train.RunLog;
import slimvox.train.Trainer;
import slimvox.verify.Verification;

/** Trains the network of a recipe. */
@Command(
    name = "train",
    description = {
      "Train the network of a recipe.",
      "Ctrl-C saves a checkpoint; --resume goes on from the latest one and ends in the same bits."
    },
    customSynopsis = {
      "slimvox train RECIPE [--set KEY=VALUE ...] [--out DIR] [--resume] [options]",
      "       slimvox train RECIPE --check [--set KEY=VALUE ...] [options]",
      "       slimvox train --resume --out DIR [options]"
    })
final class TrainCommand extends Subcommand {
  private static final double SAMPLES_AN_HOUR = 3600.0 * AudioFiles.SAMPLE_RATE;

  @Mixin private RecipeOptions options;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Folder of the results. Default runs/RECIPE-HASH.")
  private Path out;

  @Option(names = "--resume", description = "Go on with the run in the folder.")
  private boolean resume;

  @Option(
      names = "--check",
      description =
          "Only say what is missing and how to get it, what there is to train with, and what the"
              + " run takes: bytes of a step and hours, from ten steps.")
  private boolean check;

  TrainCommand() {
    super("transfer.from", "run.backend", "run.memoryBudget");
  }

  @Override
  public Integer call() {
    String name = options.name(this);
    if (resume && out == null && (name == null || Files.isDirectory(Path.of(name)))) {
      throw usage("--resume needs the run: --out " + (name == null ? "DIR" : name));
    }
    if (name == null && !(resume && out != null)) {
      throw usage("a recipe is needed: a YAML file or " + String.join(", ", Recipe.SHIPPED));
    }
    if (check && (out != null || resume)) {
      throw usage("--check trains nothing; leave out --out and --resume");
    }
    Recipe recipe = recipe(name);
    if (check) return check(recipe);
    if (out != null) requireFolderName(out);
    Path folder = out != null ? out : Path.of("runs", stem(name) + "-" + recipe.hash());
    try (CtrlC _ = new CtrlC(() -> note("\nstopping: saving a checkpoint ..."));
        Shown progress = new Shown(this, folder)) {
      return train(recipe, folder, progress);
    }
  }

  private int check(Recipe recipe) {
    List<String> missing = new ArrayList<>(RunCheck.missing(recipe.data()));
    for (Path file : Arrays.asList(recipe.transfer().fromFile(), recipe.transfer().teacherFile())) {
      if (file == null || Files.exists(file)) continue;
      missing.add(
          file + " is not there: train that network first ('slimvox average' writes means)");
    }
    if (!missing.isEmpty()) {
      for (String line : missing) note("missing: " + line);
      throw new InputException(LeftOut.first(missing, missing.size()));
    }
    try (CtrlC _ = new CtrlC(() -> note("\nstopping ..."));
        Trainer trainer = RunCheck.trainer(recipe)) {
      RunCheck.Pace pace = RunCheck.pace(trainer, recipe);
      Corpus train = trainer.data().train();
      Batches batches = trainer.data().batches();
      FeatureReader reader =
          FeatureReader.of(train, recipe.data().frontEnd().fbank(batches.bins()), List.of(1.0));
      long batch = 4L * recipe.run().batch() * recipe.data().frames() * batches.bins();
      Values values = new Values();
      values.put("recipe_hash", recipe.hash());
      values.put("utterances", train.utterances().size());
      values.put("speakers", train.speakers().size());
      values.put("hours", reader.soundBytes(train.utterances()) / 2.0 / SAMPLES_AN_HOUR);
      values.put("classes", batches.classes());
      values.put("steps_per_epoch", batches.batchesPerEpoch());
      values.put("steps", pace.steps());
      values.put("step_bytes", trainer.ledger().report().totalPeak());
      int threads = recipe.data().loaderThreads();
      values.put("batch_bytes", (threads + 2) * batch);
      values.put("loader_bytes", (threads + 2) * batch + threads * pace.exampleBytes());
      values.put("step_seconds", pace.secondsPerStep());
      values.put("run_hours", pace.hours(0));
      values.put("device", trainer.network().computation());
      result(
          values.text(
              "nothing is missing\n"
                  + "{utterances:%,d} utterances of {speakers:%,d} speakers, {hours:%,.1f} hours;"
                  + " {classes:%,d} classes\n"
                  + "a step takes {step_bytes:%,d} bytes and {step_seconds:%.3f} s on {device}, the"
                  + " loader {loader_bytes:%,d}, of which batches are {batch_bytes:%,d} and the"
                  + " rest what its threads allocate for an example each, garbage included\n"
                  + "{steps:%,d} step{steps:s}, {steps_per_epoch:%,d} an epoch: about"
                  + " {run_hours:%,.1f} hours, without validation"),
          values);
      return 0;
    } catch (InterruptedException e) {
      return Failures.INTERRUPTED;
    }
  }

  private Recipe recipe(String name) {
    if (resume && flags.isGiven("--init")) {
      throw usage("--init starts a run and --resume goes on with one; give one of them");
    }
    options.settings.addAll(List.of(Key.settings(flags.given(""))));
    return name == null
        ? Checkpoint.recipe(out, options.settings.toArray(String[]::new))
        : options.read(name);
  }

  private static String stem(String name) {
    return Path.of(name).getFileName().toString().replaceFirst("\\.(ya?ml|safetensors)$", "");
  }

  private int train(Recipe recipe, Path folder, Shown progress) {
    try (Trainer trainer = open(recipe, folder)) {
      long before = trainer.step();
      Listener.End end = trainer.run(progress);
      boolean interrupted = end.interrupted();
      Thread.interrupted(); // passed on by the trainer; the rest is short
      Map<String, Verification> verifications = end.verifications();
      if (verifications.isEmpty() && !interrupted) {
        try {
          verifications = validate(trainer);
        } catch (InterruptedException e) {
          note("stopped while it was measured; the run had ended");
          return Failures.INTERRUPTED;
        }
      }
      Path checkpoint = progress.checkpoint();
      if (checkpoint == null) checkpoint = Checkpoint.latest(folder).orElse(null);
      report(recipe, trainer, end, before, verifications, folder, checkpoint);
      return interrupted ? Failures.INTERRUPTED : 0;
    } catch (InterruptedException e) {
      note("stopped before the first step; nothing was saved");
      return Failures.INTERRUPTED;
    }
  }

  private Trainer open(Recipe recipe, Path folder) throws InterruptedException {
    try (Progress features = Progress.of(this, "features", " utterances", 0, 0)) {
      return resume
          ? Trainer.resume(recipe, folder, features)
          : Trainer.start(recipe, folder, features);
    }
  }

  /** A run that had ended already: its network is measured again. */
  private static Map<String, Verification> validate(Trainer trainer) throws InterruptedException {
    boolean never = trainer.recipe().run().validateEvery().amount() == 0;
    return never ? Map.of() : trainer.verify(FeatureSource.Progress.NONE);
  }

  private void report(
      Recipe recipe,
      Trainer trainer,
      Listener.End end,
      long before,
      Map<String, Verification> verifications,
      Path folder,
      Path checkpoint) {
    Values values = new Values();
    if (verifications.isEmpty()) {
      values.put("eer_percent", null);
      values.put("trials", 0);
    } else {
      values.putAll(EvaluateCommand.json(verifications.values().iterator().next()));
    }
    Values lists = new Values();
    verifications.forEach((list, v) -> lists.put(list, EvaluateCommand.json(v)));
    values.put("lists", lists);
    RunLog.LastQuarter last = RunLog.lastQuarter(folder);
    values.put("loss_last_quarter", last.loss());
    values.put("accuracy_without_margin_last_quarter", last.accuracyWithoutMargin());
    values.put("steps", end.step());
    values.put("interrupted", end.interrupted());
    values.put("seconds", end.seconds());
    values.put("data_wait_seconds", end.dataWaitSeconds());
    values.put("peak_bytes", end.memory().totalPeak());
    values.put("peak", end.memory().atTotalPeak());
    long graph = trainer.network().backend().device().graphBytes();
    values.put("graph_bytes", graph);
    values.put("recipe_hash", recipe.hash());
    values.put("seed", recipe.seed());
    values.put("corpus_sha256", trainer.data().train().sha256());
    values.put("backend", trainer.network().backend().name());
    values.put("device", trainer.network().backend().device().description());
    values.put("out", folder.toString());
    values.put("checkpoint", checkpoint == null ? null : checkpoint.toString());
    boolean ended = !end.interrupted() && end.step() == before;
    String text =
        ended
            ? "finished already at step %,d; for more steps: %s --set \"run.length=%d steps\"\n"
                .formatted(end.step(), resume(folder), 2 * end.step())
            : (end.interrupted() ? "stopped" : "finished")
                + values.text(
                    " after step {steps:%,d}; {seconds:%.1f} s, of it {data_wait_seconds:%.1f} s"
                        + " waiting for data\n");
    if (last.steps() > 0) {
      text +=
          values.text(
              "last quarter of the steps: loss {loss_last_quarter:%.3f}, share of right classes"
                  + " without margin {accuracy_without_margin_last_quarter:%.3f}\n");
    }
    for (Verification v : verifications.values()) text += v + "\n";
    if (!ended) text += end.memory();
    if (graph > 0) {
      text +=
          values.text(
              "of its workspace {graph_bytes:%,.2f MiB} are the driver's for a step's CUDA graph,"
                  + " which no dry run knows\n");
    }
    if (checkpoint != null) text += "checkpoint " + checkpoint + "\n";
    if (end.interrupted()) {
      note("to go on: " + resume(folder));
    }
    result(text, values);
  }

  private static String resume(Path folder) {
    String name = folder.toString();
    return "slimvox train --resume --out " + (name.contains(" ") ? "'" + name + "'" : name);
  }

  /** Shows a training run in the terminal. */
  private static final class Shown implements Listener, AutoCloseable {
    /** Weight of the newest step in the running means of speed, loss and accuracies. */
    private static final double NEWEST = 0.1;

    private final Subcommand command;
    private final Path folder;
    private Progress progress;
    private double loss = Double.NaN;
    private double accuracy;
    private double accuracyWithoutMargin;
    private double computeSeconds;
    private double waitSeconds;
    private Path checkpoint;

    Shown(Subcommand command, Path folder) {
      this.command = command;
      this.folder = folder;
    }

    @Override
    public void started(Start s) {
      command.note(s.recipe().toYaml().strip());
      command.note(
          String.format(
              Locale.ROOT,
              "# recipe %s, results in %s%n# %,d parameters, %,d classes, %,d steps an epoch, on"
                  + " %s%n# a step lies in one planned block of %,.1f MiB%n# accuracy with the"
                  + " margin (without it); wait: for data; MiB: the peak so far; times: passed /"
                  + " left",
              s.recipe().hash(),
              folder,
              s.parameters(),
              s.classes(),
              s.stepsPerEpoch(),
              s.device(),
              Bytes.mib(s.plan().bytes())));
      if (s.firstStep() > 0) {
        command.note(String.format(Locale.ROOT, "# goes on after step %,d", s.firstStep()));
      }
      progress = Progress.of(command, "training", " steps", s.firstStep(), s.steps());
    }

    @Override
    public void noted(String note) {
      command.note("# " + note);
    }

    @Override
    public void stepped(Step s) {
      double newest = Double.isNaN(loss) ? 1 : NEWEST;
      loss = Double.isNaN(loss) ? s.result().loss() : mean(loss, s.result().loss(), newest);
      accuracy = mean(accuracy, s.result().accuracy(), newest);
      accuracyWithoutMargin =
          mean(accuracyWithoutMargin, s.result().accuracyWithoutMargin(), newest);
      computeSeconds = mean(computeSeconds, s.result().nanos() / 1e9, newest);
      waitSeconds = mean(waitSeconds, s.dataWaitNanos() / 1e9, newest);
      double seconds = computeSeconds + waitSeconds;
      progress.at(
          s.step(),
          s.steps(),
          String.format(
              Locale.ROOT,
              "loss %.3f, accuracy %.1f %% (%.1f %%), %.0f utterances/s, wait %.0f %%, %,.0f MiB",
              loss,
              100 * accuracy,
              100 * accuracyWithoutMargin,
              s.utterances() / seconds,
              100 * waitSeconds / seconds,
              Bytes.mib(s.memory().totalPeak())));
    }

    private static double mean(double before, double value, double weight) {
      return before + weight * (value - before);
    }

    @Override
    public void validated(long step, Map<String, Verification> lists) {
      for (Verification v : lists.values()) {
        progress.note(String.format(Locale.ROOT, "step %,d: %s", step, v));
      }
    }

    @Override
    public void saved(long step, Path file) {
      checkpoint = file;
    }

    @Override
    public void finished(End end) {
      close();
    }

    /** The last checkpoint written; null before the first. */
    Path checkpoint() {
      return checkpoint;
    }

    @Override
    public void close() {
      if (progress != null) progress.close();
      progress = null;
    }
  }
}
