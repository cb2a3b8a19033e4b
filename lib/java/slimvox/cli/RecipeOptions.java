package slimvox.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;

/** A recipe and settings that win over its own. */
public final class RecipeOptions {
  @Parameters(
      arity = "0..*",
      paramLabel = "RECIPE",
      hideParamSyntax = true,
      description =
          "A YAML file, a checkpoint, whose recipe is taken, or a recipe that ships with SlimVox,"
              + " such as quick-start; 'slimvox recipe' lists them.")
  private List<String> words = new ArrayList<>();

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Settings that win over the recipe's, for example model.width=8 run.batch=32. 'slimvox"
              + " settings' lists them.")
  final List<String> settings = new ArrayList<>();

  /** The word that is no setting, or null: {@code --set a=1 b=2 recipe.yaml} is read as meant. */
  String name(Subcommand command) {
    String name = null;
    for (String word : words) {
      if (!settings.isEmpty() && word.contains("=") && !Files.exists(Path.of(word))) {
        settings.add(word);
      } else if (!settings.isEmpty() && word.matches("steps?|epochs?|%")) {
        String setting = settings.getLast() + " " + word;
        throw command.usage("put quotes around it: --set \"" + setting + "\"");
      } else if (name == null) {
        name = word;
      } else if (!settings.isEmpty() && !settings.getLast().contains("=")) {
        throw command.usage("--set " + settings.getLast() + ": write it as KEY=VALUE");
      } else {
        throw command.usage(
            "two recipes, %s and %s; give one, and settings after --set".formatted(name, word));
      }
    }
    return name;
  }

  /** The recipe of a name, of a file or of a checkpoint, with the settings. */
  Recipe read(String name) {
    String[] with = settings.toArray(String[]::new);
    Path file = Path.of(name);
    if (isCheckpoint(name)) return CheckpointFile.recipe(file).with(with);
    return Files.exists(file) || name.matches(".*(/|\\\\|\\.ya?ml$).*")
        ? Recipe.read(file, with)
        : Recipe.shipped(name, with);
  }

  /** How many classes the classifier of a checkpoint has; else a default. */
  int classes(String name, int byDefault) {
    return isCheckpoint(name) ? CheckpointFile.classes(Path.of(name), byDefault) : byDefault;
  }

  private static boolean isCheckpoint(String name) {
    return name != null && name.endsWith(".safetensors");
  }
}
