package slimvox.study;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.data.FeatureSource;
import slimvox.notebook.Notebook;
import slimvox.notebook.Size;
import slimvox.notebook.TrainingPanel;
import slimvox.recipe.Recipe;
import slimvox.report.Rows;
import slimvox.train.Checkpoint;
import slimvox.train.RunCheck;
import slimvox.train.Trainer;
import slimvox.verify.Verification;
import tech.tablesaw.api.Table;

/**
 * The papers' networks at full width on VoxCeleb, by recipes that ship, tested on the three
 * published lists: what a notebook does at size paper beside what it shows of the small corpus.
 *
 * <p>Runs lie in {@code runs/paper}, one folder a recipe: notebooks share them, and a run that was
 * stopped goes on.
 */
public final class PaperRuns {
  private static final String VARIABLE = "SLIMVOX_VOXCELEB";
  private static final String LISTS = "vox1-o, vox1-e, vox1-h";

  private record Row(String recipe, String list, Verification result) {}

  private final Path runs;
  private final List<String> settings;

  /**
   * Runs on a corpus.
   *
   * @param corpus folder that {@code data-scripts/voxceleb.py} made; beside it are {@code
   *     noise.scp} and {@code rirs.scp}
   * @param runs for a folder of each run
   * @param settings {@code key=value} that win over the recipes
   */
  PaperRuns(Path corpus, Path runs, String... settings) {
    this.runs = runs;
    Path beside = corpus.toAbsolutePath().getParent();
    this.settings = new ArrayList<>();
    this.settings.add("data.trainCorpus=" + corpus);
    this.settings.add("data.surroundings.noises=" + beside.resolve("noise.scp"));
    this.settings.add("data.surroundings.rooms=" + beside.resolve("rirs.scp"));
    this.settings.add("data.trials=[" + LISTS + "]");
    this.settings.add("run.validateEvery=100 %");
    this.settings.addAll(List.of(settings));
  }

  /**
   * Trains by recipes and shows what networks give, at size paper; a sentence at other sizes.
   *
   * @param recipes that ship, see {@link Recipe#SHIPPED}
   * @throws InterruptedException if the cell was stopped; what goes on has saved a checkpoint
   */
  public static void inNotebook(String... recipes) throws InterruptedException {
    if (Notebook.size() != Size.PAPER) {
      Notebook.text(
          "SLIMVOX_SIZE=paper trains %s here, on the VoxCeleb of %s, and tests on %s"
              .formatted(String.join(", ", recipes), VARIABLE, LISTS));
      return;
    }
    String folder = System.getenv(VARIABLE);
    if (folder == null || folder.isBlank()) {
      Notebook.text(
          ("%s is not set: size paper trains on VoxCeleb. Make the folder with"
                  + " data-scripts/voxceleb.py, noise.scp and rirs.scp beside it with musan.py and"
                  + " rirs.py, which say what to download, and set %1$s to it")
              .formatted(VARIABLE));
      return;
    }
    Path runs = Places.ofProject().runs().resolveSibling("paper");
    new PaperRuns(Path.of(folder), runs).show(List.of(recipes));
  }

  /** Shows what is missing; else how long everything takes, then the runs and what they gave. */
  void show(List<String> names) throws InterruptedException {
    List<String> missing = RunCheck.missing(recipe(names.getFirst()).data());
    missing.forEach(Notebook::text);
    if (!missing.isEmpty()) return;
    double hours = 0;
    for (String name : names) hours += hours(name);
    String all =
        "%d runs: %.1f hours, without the tests on three lists. A cell that was stopped goes on"
            + " when it is run again";
    Notebook.text(String.format(Locale.ROOT, all, names.size(), hours));
    List<Row> rows = new ArrayList<>();
    for (String name : names) {
      train(name).forEach((list, result) -> rows.add(new Row(name, list, result)));
      Notebook.show(table(rows));
    }
  }

  private Recipe recipe(String name) {
    return Recipe.shipped(name, settings.toArray(String[]::new));
  }

  /** Says how many hours the rest of a run takes. */
  private double hours(String name) throws InterruptedException {
    long done = Checkpoint.latest(runs.resolve(name)).map(Checkpoint::step).orElse(0L);
    Recipe recipe = recipe(name);
    if (RunCheck.isFinished(runs.resolve(name), recipe)) {
      Notebook.text(String.format(Locale.ROOT, "%s: 0 of %,d steps to go", name, done));
      return 0;
    }
    try (Trainer trainer = RunCheck.trainer(recipe)) {
      RunCheck.Pace pace = RunCheck.pace(trainer, recipe);
      String text = "%s: %,d of %,d steps to go, %.3f s each (mean of ten): %.1f hours";
      long left = pace.steps() - done;
      double seconds = pace.secondsPerStep();
      double hours = pace.hours(done);
      Notebook.text(String.format(Locale.ROOT, text, name, left, pace.steps(), seconds, hours));
      return hours;
    }
  }

  private Map<String, Verification> train(String name) throws InterruptedException {
    Path folder = runs.resolve(name);
    boolean begun = Files.exists(folder.resolve("recipe.yaml"));
    FeatureSource.Progress silent = FeatureSource.Progress.NONE;
    try (Trainer trainer =
        begun
            ? Trainer.resume(recipe(name), folder, silent)
            : Trainer.start(recipe(name), folder, silent)) {
      var end = trainer.run(new TrainingPanel());
      if (end.interrupted()) throw new InterruptedException(name + " was stopped");
      return end.verifications().isEmpty() ? trainer.verify(silent) : end.verifications();
    }
  }

  private static Table table(List<Row> rows) {
    return Rows.of(rows)
        .column("recipe", null, Row::recipe)
        .column("list", null, Row::list)
        .column("EER (%)", "%.2f", r -> r.result.eerPercent())
        .column("minDCF(p_target 0.05)", "%.3f", r -> r.result.minDcf())
        .table();
  }
}
