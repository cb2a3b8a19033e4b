package slimvox.study;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.storage.ProjectFolder;

/**
 * Where an experiment's runs and results lie, and what relative paths of its recipe start at.
 *
 * @param root the folder of the project; a relative path that leads nowhere from the working
 *     directory starts there
 * @param runs for run folders and features; what is in it can be made again
 * @param results for the summaries of finished runs, a folder for each experiment
 */
public record Places(Path root, Path runs, Path results) {

  /** The checkout that this class comes from, or the working directory. */
  public static Places ofProject() {
    Path above = ProjectFolder.code().resolve("../../..").normalize(); // of a jar in lib/target
    return in(Files.exists(above.resolve("notebooks")) ? above : Path.of("").toAbsolutePath());
  }

  /** The folders of a checkout: {@code runs/study} and {@code notebooks/results}. */
  static Places in(Path root) {
    return new Places(root, root.resolve("runs/study"), root.resolve("notebooks/results"));
  }

  /** The recipe with absolute paths of its corpora, so that it means the same from anywhere. */
  Recipe located(Recipe recipe) {
    Recipe train = located(recipe, "data.trainCorpus", recipe.data().trainCorpus());
    return located(train, "data.validationCorpus", train.data().validationCorpus());
  }

  private Recipe located(Recipe recipe, String key, String path) {
    if (path == null) return recipe;
    Path here = Path.of(path).toAbsolutePath();
    Path found = Files.exists(here) ? here : root.resolve(path).toAbsolutePath();
    return recipe.with(key + "=" + found.normalize());
  }

  /** Where computed features are kept, for all runs. */
  Path features() {
    return runs.resolve("features").toAbsolutePath();
  }

  /** Removes a run's folder. */
  static void remove(Path folder) {
    if (!Files.isDirectory(folder)) return;
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) Files.deleteIfExists(file);
      Files.delete(folder);
    } catch (IOException e) {
      throw InputException.at(folder, "cannot be removed (%s)", e.getMessage()).because(e);
    }
  }
}
