package slimvox.cli;

import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.recipe.Recipe;
import slimvox.report.Rows;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/** What settings a recipe may have. */
@Command(
    name = "settings",
    description = "List the settings of recipes: key, default, what is possible, meaning.",
    sortOptions = false)
final class SettingsCommand extends Subcommand {
  @Parameters(
      arity = "0..1",
      paramLabel = "PREFIX",
      description = "List only the keys that begin so, for example optimizer.")
  private String prefix = "";

  @Override
  public Integer call() {
    List<Key> settings = Recipe.SETTINGS.settings(prefix);
    if (settings.isEmpty()) {
      List<String> keys = List.copyOf(Recipe.SETTINGS.keys().keySet());
      throw new InputException(
          "%s: no setting begins so; the nearest are %s"
              .formatted(prefix, String.join(", ", NearestNames.of(prefix, keys, 3))));
    }
    Rows<Key> rows =
        Rows.of(settings)
            .column("key", "key", format("", settings, Key::name), Key::name)
            .column(
                "default", "default", format("  ", settings, Key::shownDefault), Key::shownDefault)
            .column("range", "possible", format("  ", settings, Key::allowed), Key::allowed)
            .column("flag", "option", "  %-16s", k -> k.setting().flag())
            .column("may_change", "at resume", "  %-10s", SettingsCommand::atResume)
            .column("meaning", "meaning", "  %-1s", k -> k.setting().value());
    result(rows.text(), new Values().with("settings", rows.json()));
    return 0;
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
