package slimvox.recipe;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import slimvox.models.Models;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;

/**
 * Every setting of a training run.
 *
 * <p>On disk a recipe is YAML with these sections and keys; what a file leaves out, or gives as
 * null, has its default. A key in a text is dotted: {@code model.width=8}. Unknown keys, wrong
 * types and impossible values are refused in one line with file, line, key and what is allowed.
 *
 * @param seed where all random numbers of the run start from. Default 42
 * @param model the network
 * @param data speech to train and to validate with
 * @param loss AAM-softmax
 * @param optimizer update rule and learning rate
 * @param transfer what is taken over from trained networks
 * @param run how long, on what, and what is kept
 */
public record Recipe(
    long seed,
    ModelSettings model,
    DataSettings data,
    LossSettings loss,
    OptimizerSettings optimizer,
    TransferSettings transfer,
    RunSettings run) {

  /** The recipes that ship with SlimVox, for {@link #shipped}. */
  public static final List<String> SHIPPED = List.of("quick-start", "wespeaker-resnet34");

  /** Networks leave an eighth of the frames, and the deviation of one frame does not exist. */
  private static final int LEAST_FRAMES = 9;

  public Recipe {
    long values = (long) run.batch() * data.frames() * model.bins();
    if (values > Integer.MAX_VALUE - 8) {
      throw new InvalidSetting(
          "run.batch",
          "%d examples of %d frames x %d bins are more than a Java array holds; make one smaller"
              .formatted(run.batch(), data.frames(), model.bins()));
    }
    String fault = Models.binarizationFault(model.spec());
    if (fault != null) {
      String key = model.binary().layers() == null ? "scheme" : "layers";
      throw new InvalidSetting("model.binary." + key, fault);
    }
    String savingFault = Models.savingFault(model.spec());
    if (savingFault != null) throw new InvalidSetting("model.reversible", savingFault);
    if (model.pooling().equals("tstp") && data.frames() < LEAST_FRAMES) {
      throw new InvalidSetting(
          "data.frames",
          "%d is not possible with tstp pooling; allowed is at least %d"
              .formatted(data.frames(), LEAST_FRAMES));
    }
  }

  /** The recipe that an empty file would give. */
  public static Recipe defaults() {
    return new Recipe(
        42,
        new ModelSettings(
            "ResNet34",
            32,
            256,
            "tstp",
            80,
            "none",
            "c",
            "pre",
            "float",
            "none",
            0,
            false,
            0,
            null),
        new DataSettings(
            null,
            List.of(),
            List.of(),
            null,
            null,
            0,
            0,
            200,
            List.of(1.0),
            new DataSettings.SpecAugment(0, 10, 8),
            1,
            null,
            1,
            false,
            null),
        new LossSettings(
            32,
            new LossSettings.Margin(0, 0.2, Span.percent(40), Span.percent(70), "exponential"),
            false),
        new OptimizerSettings(
            "sgd",
            new OptimizerSettings.Rate("exponential", 0.1, 5e-5, Span.steps(0)),
            1e-4,
            0.9,
            true,
            null,
            null,
            "after-backward",
            new OptimizerSettings.State(32, null, null, null, null)),
        TransferSettings.NONE,
        new RunSettings(
            Span.epochs(150),
            128,
            Span.epochs(1),
            Span.epochs(1),
            3,
            "best",
            false,
            null,
            0,
            null));
  }

  /**
   * Reads a recipe.
   *
   * @param file YAML in UTF-8
   * @param settings {@code key=value} pairs that win over the file, values in YAML
   * @throws InputException if the file or a setting cannot be used
   */
  public static Recipe read(Path file, String... settings) {
    return RecipeReader.read(file).with(settings).recipe();
  }

  /**
   * Reads a recipe from a text.
   *
   * @param name what messages call the text
   * @throws InputException as {@link #read}
   */
  public static Recipe parse(String yaml, String name, String... settings) {
    return RecipeReader.parse(yaml, name).with(settings).recipe();
  }

  /**
   * Reads one of the {@link #SHIPPED} recipes.
   *
   * @throws InputException if there is none of this name, or a setting cannot be used
   */
  public static Recipe shipped(String name, String... settings) {
    if (!SHIPPED.contains(name)) {
      throw new InputException(
          name + ": no such recipe; SlimVox ships " + String.join(" and ", SHIPPED));
    }
    String resource = name + ".yaml";
    try (InputStream in = Recipe.class.getResourceAsStream("/recipes/" + resource)) {
      return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8), resource, settings);
    } catch (IOException e) {
      throw new InputException(resource + ": cannot be read from the jar", e);
    }
  }

  /**
   * Returns a copy with other settings: {@code recipe.with("model.width=8", "run.batch=32")}.
   *
   * <p>{@code key=null} sets the default. With another {@code optimizer.name} the settings that
   * only the old rule has disappear; a change from sgd needs a learning rate as well.
   *
   * @throws InputException if a setting cannot be used
   */
  public Recipe with(String... settings) {
    return RecipeReader.of(this).with(settings).recipe();
  }

  /**
   * All settings as YAML, defaults included: the same recipe gives the same text. Settings that
   * came later are left out where they are the default, so that hashes stay.
   */
  public String toYaml() {
    return RecipeReader.toYaml(this);
  }

  /** The first 12 hexadecimal digits of the SHA-256 of {@link #toYaml()}. */
  public String hash() {
    byte[] digest = Sha256.digest().digest(toYaml().getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest, 0, 6);
  }
}
