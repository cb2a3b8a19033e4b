package slimvox.train;

import java.util.List;
import java.util.Locale;
import slimvox.data.Batches;
import slimvox.loss.MarginSchedule;
import slimvox.optim.LearningRate;
import slimvox.recipe.Recipe;
import slimvox.settings.Setting;

/** The learning rate and the margin of each step of a run, and how many steps it has. */
record Schedules(long steps, LearningRate rate, MarginSchedule margin) {
  static Schedules of(Recipe recipe, Batches batches) {
    int perEpoch = batches.batchesPerEpoch(recipe.run().batch());
    long steps = recipe.run().steps(perEpoch);
    return new Schedules(
        steps,
        recipe.optimizer().learningRate().schedule(perEpoch, steps),
        recipe.loss().margin().schedule(perEpoch, steps));
  }

  /**
   * What a run goes on with that it did not begin with. A longer run has longer schedules, too:
   * they are of its whole length, and jump where it goes on.
   *
   * @param step number of steps taken
   * @return one line, or none
   */
  static List<String> change(Recipe earlier, Recipe recipe, Batches batches, long step) {
    List<String> now = Recipe.SETTINGS.difference(earlier, recipe, Setting::mayChange);
    if (now.isEmpty()) return List.of();
    List<String> before = Recipe.SETTINGS.difference(recipe, earlier, Setting::mayChange);
    Schedules was = of(earlier, batches);
    Schedules is = of(recipe, batches);
    return List.of(
        "goes on with %s instead of %s".formatted(String.join(" ", now), String.join(" ", before))
            + jump("learning rate", step, was.rate.at(step), is.rate.at(step))
            + jump("margin", step, was.margin.at(step), is.margin.at(step)));
  }

  private static String jump(String name, long step, double was, double is) {
    if (was == is) return "";
    return String.format(
        Locale.ROOT, "; %s after step %d: %.3g instead of %.3g", name, step, is, was);
  }
}
