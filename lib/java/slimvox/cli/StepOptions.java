package slimvox.cli;

import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.step.StepBuilder;
import slimvox.step.TrainingStep;

/** Options of one training step whose memory or speed is asked for: of a recipe, or of flags. */
public final class StepOptions {
  /** Keys of results that say what saves memory. */
  public static final String[] SAVING = {
    "reversible", "units", "order", "streams", "recompute", "slice", "rebuild", "keep"
  };

  private static final List<String> OF_REVERSIBLE =
      List.of("--units", "--order", "--streams", "--slice", "--keep");

  @Mixin private RecipeOptions recipe;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Utterances of a step. Default the recipe's, or 32.")
  private Integer batch;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of an utterance, 10 ms each. Default the recipe's, or 200.")
  private Integer frames;

  @Option(
      names = "--classes",
      paramLabel = "K",
      description =
          "Speakers that the classifier tells apart; 0 leaves it out. Default those of the"
              + " checkpoint that is given, or 5994, as in VoxCeleb2.")
  private Integer classes;

  @Option(
      names = "--lean",
      description =
          "All of it: --rebuild, --update in-backward and, unless you give --slice, whichever of 0,"
              + " 8, 16 and 32 needs least (where blocks allow it).")
  private boolean lean;

  /** What was asked for; the network takes the place of the recipe's. */
  public record Step(
      Recipe recipe, ModelSpec model, UpdateTime update, int batch, int frames, int classes) {
    /** Builds the step on a backend. */
    public TrainingStep build(Backend backend) {
      return builder().build(model, update, backend);
    }

    /** Adds what was asked for to a result. */
    public void put(Map<String, Object> result, String... keys) {
      Map<String, Object> values = Recipe.SETTINGS.values(recipe);
      model.settings().forEach((key, value) -> values.put("model." + key, value));
      values.put("optimizer.update", update);
      DeclaredOptions.put(result, values, keys);
    }

    /** Builds steps of other networks, too. */
    StepBuilder builder() {
      return StepBuilder.of(recipe, classes);
    }
  }

  /**
   * Whether all ways to train are asked for, so that no option is about blocks there are none of.
   */
  Step read(Subcommand command, boolean everyWay) {
    DeclaredOptions flags = command.flags;
    String name = recipe.name(command);
    if (name == null && !recipe.settings.isEmpty()) {
      throw command.usage("--set changes a recipe; give one, or --model and the options after it");
    }
    if (name != null && Models.names().contains(name)) {
      throw command.usage(name + " is a model, not a recipe; write --model " + name);
    }
    Recipe base = name == null ? Recipe.defaults() : recipe.read(name);
    ModelSpec asked = name == null ? flags.model() : flags.model(base.model());
    if (lean && flags.isGiven("--slice") && asked.slice() == 0) {
      throw command.usage("--lean computes blocks in slices; leave out --slice 0");
    }
    UpdateTime update = flags.value("--update");
    if (lean && update == UpdateTime.AFTER_BACKWARD) {
      throw command.usage("--lean updates in backward; leave out --update " + Key.of(update));
    }
    if (!everyWay && !asked.hasReversibleBlocks()) {
      for (String flag : OF_REVERSIBLE) {
        if (flags.isGiven(flag)) {
          throw command.usage(
              flag + " concerns reversible blocks; add --reversible partial or full");
        }
      }
    }
    Recipe of = flags.recipe(base);
    Step step =
        new Step(
            of,
            lean ? Models.lean(asked) : asked,
            lean ? UpdateTime.IN_BACKWARD : of.optimizer().update(),
            batch != null ? batch : name == null ? 32 : of.run().batch(),
            frames != null ? frames : of.data().frames(),
            classes != null ? classes : recipe.classes(name, 5994));
    command.range("--batch", step.batch, 1, 1 << 20);
    command.range("--frames", step.frames, 1, 1 << 20);
    command.range("--classes", step.classes, 0, 100_000_000);
    if ((long) step.batch * step.frames * asked.bins() > Integer.MAX_VALUE - 8) {
      throw command.usage(
          "--batch %d of %d frames x %d bins is more than a Java array holds; make one smaller"
              .formatted(step.batch, step.frames, asked.bins()));
    }
    return step;
  }

  /** What is asked for. */
  public Step read(Subcommand command) {
    return read(command, false);
  }
}
