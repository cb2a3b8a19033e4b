package slimvox.study;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.cli.CtrlC;
import slimvox.cli.Progress;
import slimvox.cli.StudyCommand;
import slimvox.report.Values;
import slimvox.study.Experiment.Run;

/** Makes the runs of an experiment that are missing, and prints its tables. */
@Command(
    name = "experiment",
    description = {
      "Make the runs of an experiment that are missing, and print its tables.",
      "Ctrl-C saves checkpoints; called again, it goes on. Summaries of finished runs are kept in"
          + " notebooks/results."
    })
public final class ExperimentCommand extends StudyCommand {
  @Parameters(
      paramLabel = "EXPERIMENT",
      description = "A YAML file, or an experiment that ships with SlimVox.")
  private String name;

  @Option(names = "--fresh", description = "Remove the results first, and make all runs anew.")
  private boolean fresh;

  @Option(
      names = "--only",
      paramLabel = "VARIANT",
      description = "Make the runs of this variant only; may be given several times.")
  private List<String> only = new ArrayList<>();

  @Option(
      names = "--jobs",
      paramLabel = "N",
      description = "Runs that go on at a time, each on a core. Default: 2, or 1 with one core.")
  private int jobs = ExperimentRuns.jobs();

  @Option(names = "--table", description = "Make no runs; print the tables of those there are.")
  private boolean tableOnly;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      arity = "1..*",
      description =
          "Settings that win over the experiment's (seeds=3), or, with a dot, over its recipe's.")
  private List<String> settings = new ArrayList<>();

  @Option(
      names = "--results",
      paramLabel = "DIR",
      description = "Folder of the summaries. Default notebooks/results.")
  private Path results;

  @Option(
      names = "--runs",
      paramLabel = "DIR",
      description = "Folder of the runs. Default runs/study.")
  private Path runs;

  @Override
  public Integer call() {
    range("--jobs", jobs, 1, 1024);
    if (tableOnly && !only.isEmpty())
      throw usage("--only makes runs and --table makes none; give one");
    if (fresh && tableOnly) throw usage("--fresh makes runs and --table makes none; give one");
    Places places = Places.ofProject();
    if (results != null) places = new Places(places.root(), places.runs(), results);
    if (runs != null) places = new Places(places.root(), runs, places.results());
    String[] with = settings.toArray(String[]::new);
    Path file = Path.of(name);
    Experiment experiment =
        Files.exists(file) || name.matches(".*(/|\\\\|\\.ya?ml$).*")
            ? Experiment.read(file, with)
            : Experiment.shipped(name, with);
    ExperimentRuns all = new ExperimentRuns(experiment, places);
    if (tableOnly) return report(all.results());
    if (fresh) all.remove(only);
    try (CtrlC _ = new CtrlC(() -> note("\nstopping: saving checkpoints ..."));
        Shown shown = new Shown()) {
      return report(all.run(only, jobs, shown));
    } catch (InterruptedException e) {
      note("to go on: call it again, without --fresh");
      return INTERRUPTED;
    }
  }

  private int report(ExperimentResults results) {
    Values values = new Values().with("experiment", results.experiment().name());
    StringBuilder text = new StringBuilder(results.experiment().statement().title() + "\n");
    Map<String, Object> lists = new LinkedHashMap<>();
    for (String list : results.experiment().statement().lists()) {
      text.append('\n').append(list).append('\n').append(results.table(list).text());
      lists.put(list, results.table(list).json());
    }
    results.notes().forEach(note -> text.append("# ").append(note).append('\n'));
    values.put("missing", results.missing().stream().map(Run::name).toList());
    values.put("notes", results.notes());
    values.put("lists", lists);
    result(text.toString(), values);
    return 0;
  }

  /** The runs on the terminal: a bar over them all, and a line for each that is finished. */
  private final class Shown extends GoingOn {
    private final Progress bar = Progress.of(ExperimentCommand.this, "runs", " runs", 0, 0);
    private int total;

    @Override
    public synchronized void began(int total) {
      this.total = total;
      draw();
    }

    @Override
    public synchronized void noted(String note) {
      bar.note("# " + note);
    }

    @Override
    void ended(Run run, Summary summary) {
      StringBuilder line = new StringBuilder(run.name());
      if (summary == null) {
        line.append(": no result");
      } else {
        if (summary.training() != null) {
          double accuracy = summary.training().accuracy();
          line.append(String.format(Locale.ROOT, ": accuracy %.1f %%", accuracy));
        }
        line.append(", EER");
        summary
            .lists()
            .forEach(
                (list, r) ->
                    line.append(String.format(Locale.ROOT, " %s %.2f %%", list, r.eerPercent())));
      }
      bar.note(line.toString());
    }

    @Override
    void draw(int done, String goingOn) {
      bar.at(done, total, goingOn);
    }

    @Override
    public void close() {
      bar.close();
    }
  }
}
