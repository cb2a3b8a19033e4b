package slimvox.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.recipe.Recipe;
import slimvox.report.Rows;
import slimvox.report.SettingsRows;
import slimvox.report.Values;
import slimvox.settings.Key;

/** Prints a recipe that ships, to begin an own one with. */
@Command(
    name = "recipe",
    description = "Print a recipe that ships with SlimVox; without NAME list them.")
final class RecipeCommand extends Subcommand {
  @Parameters(arity = "0..1", paramLabel = "NAME", description = "The recipe.")
  private String name;

  @Override
  public Integer call() {
    if (name == null) {
      Values values = new Values().with("recipes", Recipe.SHIPPED);
      result(String.join("\n", Recipe.SHIPPED), values);
      return 0;
    }
    Values values = new Values();
    values.put("recipe", name);
    values.put("recipe_hash", Recipe.shipped(name).hash());
    values.put("yaml", Recipe.shippedText(name));
    result(values.text("{yaml}"), values);
    return 0;
  }

  /** What settings a recipe may have. */
  @Command(
      name = "settings",
      description = "List the settings of recipes: key, default, what is possible, meaning.")
  static final class Settings extends Subcommand {
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
}
