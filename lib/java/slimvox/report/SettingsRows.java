package slimvox.report;

import java.util.List;
import java.util.function.Function;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/** What settings recipes may have, as the command {@code settings} and notebooks list them. */
public final class SettingsRows {
  private SettingsRows() {}

  /** The settings whose keys begin with a text, all with an empty one; refused if there is none. */
  public static Rows<Key> of(String prefix) {
    List<Key> settings = Recipe.SETTINGS.settings(prefix);
    if (settings.isEmpty()) {
      List<String> keys = List.copyOf(Recipe.SETTINGS.keys().keySet());
      throw new InputException(
          "%s: no setting begins so; the nearest are %s"
              .formatted(prefix, String.join(", ", NearestNames.of(prefix, keys, 3))));
    }
    return Rows.of(settings)
        .column("key", "key", format("", settings, Key::name), Key::name)
        .column("default", "default", format("  ", settings, Key::shownDefault), Key::shownDefault)
        .column("range", "possible", format("  ", settings, Key::allowed), Key::allowed)
        .column("flag", "option", "  %-16s", k -> k.setting().flag())
        .column("may_change", "at resume", "  %-10s", SettingsRows::atResume)
        .column("meaning", "meaning", "  %-1s", k -> k.setting().value());
  }

  private static String atResume(Key key) {
    return key.setting().mayChange() || !key.setting().decidesBits() ? "may change" : "stays";
  }

  /** As wide as the longest. */
  private static String format(String space, List<Key> settings, Function<Key, String> text) {
    int width = settings.stream().mapToInt(k -> text.apply(k).length()).max().orElseThrow();
    return space + "%-" + Math.max(width, 8) + "s";
  }
}
