package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.recipe.Recipe;
import slimvox.recipe.RunSettings;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/**
 * The short options that recipes' settings declare: {@code --width 8} is {@code --set
 * model.width=8}.
 */
public final class DeclaredOptions {
  /** The settings that say what network is meant, for commands that do not train. */
  public static final String[] OF_NETWORK = {
    "model.name", "model.width", "model.bins", "model.embeddingSize", "model.pooling"
  };

  /** Not a constant of the setting here, as the dry device may be meant. */
  private static final String BACKEND = "--backend";

  private final Subcommand command;
  private final Map<String, Key> flags = new LinkedHashMap<>();

  /** The options of the settings whose keys begin with one of some prefixes. */
  DeclaredOptions(Subcommand command, String... prefixes) {
    this.command = command;
    for (String prefix : prefixes) {
      for (Key key : Recipe.SETTINGS.settings(prefix)) {
        if (!key.setting().flag().isEmpty()) flags.put(key.setting().flag(), key);
      }
    }
  }

  /** Adds the options to a command, before its own. */
  void addTo(CommandSpec spec) {
    flags.forEach(
        (flag, key) -> {
          String text = key.setting().value();
          boolean needed = flag.equals("--model");
          if (!key.setting().byDefault().isEmpty() && key.type() != boolean.class && !needed) {
            text += " Default " + key.setting().byDefault() + ".";
          }
          OptionSpec.Builder option =
              OptionSpec.builder(flag)
                  .order(-2) // an option's own is -1
                  .type(flag.equals(BACKEND) ? String.class : (Class<?>) key.type())
                  .description(text.replace("%", "%%"));
          if (key.type() != boolean.class) {
            option.paramLabel(flag.substring(flag.lastIndexOf('-') + 1).toUpperCase());
          }
          spec.addOption(option.build());
        });
  }

  /** What an option was given; null if it was not, or is none of the command. */
  @SuppressWarnings("unchecked")
  public <T> T value(String flag) {
    return (T) command.spec.commandLine().getParseResult().matchedOptionValue(flag, null);
  }

  boolean isGiven(String flag) {
    return command.spec.commandLine().getParseResult().hasMatchedOption(flag);
  }

  /** The settings below a prefix that were given, by what follows it in their keys. */
  Map<String, Object> given(String prefix) {
    Map<String, Object> given = new LinkedHashMap<>();
    flags.forEach(
        (flag, key) -> {
          if (key.name().startsWith(prefix) && isGiven(flag)) {
            given.put(key.name().substring(prefix.length()), value(flag));
          }
        });
    return given;
  }

  /** The network of a recipe with what the options say of it; an unknown one is refused. */
  public ModelSpec model(ModelSpec base) {
    String name = value("--model");
    if (name != null && !Models.names().contains(name)) {
      throw InputException.of(
          "--model %s: no such model; known are %s", name, String.join(", ", Models.names()));
    }
    return named(() -> base.with(Key.settings(given("model."))));
  }

  /** The network that the options say; {@code --model} must be among them. */
  public ModelSpec model() {
    if (!isGiven("--model")) {
      throw command.usage("--model is needed; known are " + String.join(", ", Models.names()));
    }
    return model(Recipe.defaults().model());
  }

  /**
   * A recipe with what the options say, but of the network. A rule of another kind gets a learning
   * rate of its size, which changes neither bytes nor time.
   */
  public Recipe recipe(Recipe base) {
    String rule = value("--optimizer");
    boolean sgd = base.optimizer().name().equals("sgd");
    Recipe fitting =
        rule == null || rule.equals("sgd") == sgd
            ? base
            : named(
                () -> base.with("optimizer.name=" + rule, "optimizer.learningRate.initial=0.001"));
    Map<String, Object> given = given("");
    given.keySet().removeIf(key -> key.startsWith("model.") || key.equals("run.backend"));
    return named(() -> fitting.with(Key.settings(given)));
  }

  /** The defaults with what the options say, but of the network. */
  public Recipe recipe() {
    return recipe(Recipe.defaults());
  }

  /** Opens what a recipe, or an option, says that computes. */
  public Backend open(Recipe recipe) {
    RunSettings run = recipe.run();
    String name = isGiven(BACKEND) ? value(BACKEND) : Key.of(run.backend());
    return Backends.open(name, run.threads(), run.mathMode(), run.budget());
  }

  /** Has a value that is not possible named by its option, not by its key. */
  private <T> T named(Supplier<T> work) {
    try {
      return work.get();
    } catch (InputException e) {
      if (!(e.getCause() instanceof InvalidSetting invalid)) throw e;
      String said = invalid.ofFlags(this::flag);
      if (said != null) throw command.usage(said);
      String flag = flag(invalid.key());
      throw flag == null ? e : new InputException(flag + " " + invalid.problem(), e);
    }
  }

  /** The option that sets a key of recipes, or of the section {@code model}; null for none. */
  String flag(String key) {
    return flags.values().stream()
        .filter(k -> k.name().equals(key) || k.name().equals("model." + key))
        .map(k -> k.setting().flag())
        .findFirst()
        .orElse(null);
  }

  /** Adds values by key to a result, under the names of options with underscores. */
  static void put(Map<String, Object> result, Map<String, Object> values, String... keys) {
    for (String key : keys) {
      String flag = "--" + key.replace('_', '-').replace("state-block", "block");
      Key setting =
          Recipe.SETTINGS.settings("").stream()
              .filter(k -> k.setting().flag().equals(flag))
              .findFirst()
              .orElseThrow();
      Object value = values.get(setting.name());
      result.put(key, value instanceof Enum<?> constant ? Key.of(constant) : value);
    }
  }
}
