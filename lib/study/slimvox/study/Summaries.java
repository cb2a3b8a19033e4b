package slimvox.study;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.study.Experiment.Run;

/**
 * The summaries of an experiment's runs, a file each in its folder of results.
 *
 * <p>One that belongs to another recipe, corpus, trial list or version of the statistics is left
 * out, with a sentence that says so: its run counts as missing.
 */
final class Summaries {
  private final Experiment experiment;
  private final Path folder;
  private final Evaluation evaluation;

  /** The summaries below a folder of results, to be made by this evaluation. */
  Summaries(Experiment experiment, Path results, Evaluation evaluation) {
    this.experiment = experiment;
    this.folder = results.resolve(experiment.name());
    this.evaluation = evaluation;
  }

  /** Where the summary of a run lies. */
  Path file(Run run) {
    return folder.resolve(run.name() + ".json");
  }

  /**
   * The summaries that can be used, by run.
   *
   * @param notes takes a sentence for each file that cannot, one if several versions of the program
   *     made them, and those of the evaluation
   * @throws InputException if a file is no summary
   */
  Map<Run, Summary> read(List<String> notes) {
    Map<Path, Run> runs = new LinkedHashMap<>();
    for (Run run : experiment.runs()) runs.put(file(run), run);
    Map<Run, Summary> found = new LinkedHashMap<>();
    for (Path file : files(folder)) {
      Run run = runs.get(file);
      if (run == null) {
        notes.add(name(file) + ": of no run of this experiment; left out, remove it");
        continue;
      }
      Summary summary = Summary.read(file);
      String fault = fault(summary, run);
      if (fault == null) {
        found.put(run, summary);
      } else {
        notes.add(name(file) + ": " + fault + "; left out, the run is to be made again");
      }
    }
    Map<String, Long> revisions =
        found.values().stream()
            .collect(Collectors.groupingBy(Summary::revision, TreeMap::new, Collectors.counting()));
    if (revisions.size() > 1) {
      notes.add(
          experiment.name()
              + ": made by several versions of the program: "
              + revisions.entrySet().stream()
                  .map(e -> e.getKey() + " (" + e.getValue() + ")")
                  .collect(Collectors.joining(", ")));
    }
    notes.addAll(evaluation.notes());
    return found;
  }

  /** A file as it is called in the folder of results, which differs from machine to machine. */
  private String name(Path file) {
    return experiment.name() + "/" + file.getFileName();
  }

  /** Why a summary is not that of the run; null if it is. */
  private String fault(Summary summary, Run run) {
    String hash = experiment.hash(run);
    if (!summary.variant().equals(run.candidate().name()) || summary.seed() != run.seed()) {
      return "of '%s', seed %d".formatted(summary.variant(), summary.seed());
    }
    if (!summary.recipe().equals(hash)) {
      return "made with recipe %s, that of the experiment is %s".formatted(summary.recipe(), hash);
    }
    return evaluation.fault(summary);
  }

  /** Copies the summary of the same run under another name or of another experiment, or null. */
  Summary elsewhere(Run run) {
    Path results = folder.getParent();
    if (!Files.isDirectory(results)) return null;
    String hash = experiment.hash(run);
    for (Path other : list(results)) {
      if (!Files.isDirectory(other)) continue;
      for (Path file : files(other)) {
        Summary summary;
        try {
          summary = Summary.read(file);
        } catch (InputException e) {
          continue; // that experiment says so itself
        }
        if (summary.recipe().equals(hash) && evaluation.fault(summary) == null) {
          return write(run, summary.as(run.candidate(), experiment.settings(run.candidate())));
        }
      }
    }
    return null;
  }

  /** Writes the summary of a run. */
  Summary write(Run run, Summary summary) {
    summary.write(file(run));
    return summary;
  }

  /** Removes what killed processes left half written. */
  void clean() {
    if (Files.isDirectory(folder)) AtomicFile.removeLeftovers(folder);
  }

  /** Removes the summary of a run. */
  void remove(Run run) {
    try {
      Files.deleteIfExists(file(run));
    } catch (IOException e) {
      throw InputException.at(file(run), "cannot be removed (%s)", e.getMessage()).because(e);
    }
  }

  private static List<Path> files(Path folder) {
    if (!Files.isDirectory(folder)) return List.of();
    return list(folder).stream()
        .filter(f -> f.toString().endsWith(".json") && Files.isRegularFile(f))
        .toList();
  }

  private static List<Path> list(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return new ArrayList<>(files.sorted().toList());
    } catch (IOException e) {
      throw InputException.unreadable(folder, e);
    }
  }
}
