package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.recipe.Recipe;

/** Prints a recipe that ships, to begin an own one with. */
@Command(
    name = "recipe",
    description = "Print a recipe that ships with SlimVox; without NAME list them.",
    sortOptions = false)
final class RecipeCommand extends Subcommand {
  @Parameters(arity = "0..1", paramLabel = "NAME", description = "The recipe.")
  private String name;

  @Override
  public Integer call() {
    Map<String, Object> values = new LinkedHashMap<>();
    if (name == null) {
      values.put("recipes", Recipe.SHIPPED);
      result(String.join("\n", Recipe.SHIPPED), values);
      return 0;
    }
    String yaml = Recipe.shippedText(name);
    values.put("recipe", name);
    values.put("recipe_hash", Recipe.shipped(name).hash());
    values.put("yaml", yaml);
    result(yaml, values);
    return 0;
  }
}
