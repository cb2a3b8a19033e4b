package slimvox.data;

import java.util.function.Function;

/**
 * Where the progress of long tasks is shown that nobody gave a progress for: in the cell where a
 * notebook runs, else nowhere.
 */
public final class ShownProgress {
  private static volatile Function<String, FeatureSource.Progress> output =
      _ -> FeatureSource.Progress.NONE;

  private ShownProgress() {}

  /** From now on {@code output} makes the progress of a task, from its name. */
  public static void shownBy(Function<String, FeatureSource.Progress> output) {
    ShownProgress.output = output;
  }

  /**
   * The progress of a task.
   *
   * @param task what is done, for example {@code "features"}
   */
  public static FeatureSource.Progress of(String task) {
    return output.apply(task);
  }
}
