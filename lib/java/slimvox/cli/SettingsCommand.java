package slimvox.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.report.Rows;
import slimvox.report.SettingsRows;
import slimvox.report.Values;
import slimvox.settings.Key;

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
    Rows<Key> rows = SettingsRows.of(prefix);
    result(rows.text(), new Values().with("settings", rows.json()));
    return 0;
  }
}
