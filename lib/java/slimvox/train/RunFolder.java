package slimvox.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import slimvox.recipe.Recipe;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/** What has to be true of a run's folder before and while somebody trains there. */
final class RunFolder {
  private RunFolder() {}

  static Path recipe(Path folder) {
    return folder.resolve("recipe.yaml");
  }

  /** Makes a folder, if it is not there; refused if that cannot be. */
  static void make(Path folder) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new InputException(folder + ": cannot be made: " + e.getMessage(), e);
    }
  }

  /** Refuses a folder that holds a run, or a file that one would write over. */
  static void requireEmpty(Path folder) {
    if (Files.exists(recipe(folder)) || Checkpoint.latest(folder).isPresent()) {
      throw new InputException(
          folder
              + ": holds a run already; go on with it (train --resume, Trainer.resume) or give"
              + " another folder");
    }
    for (String name : List.of(RunLog.STEPS, RunLog.VALIDATIONS)) {
      if (Files.exists(folder.resolve(name))) {
        throw new InputException(
            folder.resolve(name) + ": is of something else; move it away or give another folder");
      }
    }
  }

  /** What a run says that is resumed after its last step. */
  static String ended(long step) {
    return ("finished already at step %d; for more steps resume it with a longer run.length, as in"
            + " \"run.length=%d steps\"")
        .formatted(step, 2 * step);
  }

  /** Makes a folder anew that was moved away while the run went on; refuses one of others. */
  static void keep(Path folder, RunLock lock, Recipe recipe, Listener listener) {
    boolean removed = lock.renew();
    Path own = recipe(folder);
    if (!Files.exists(own)) {
      AtomicFile.write(own, recipe.toYaml());
      listener.noted(own + ": was removed during the run; it, and what follows, is written anew");
    } else if (removed) {
      Checkpoint.requireSame(own, Recipe.read(own), recipe);
    }
  }
}
