package slimvox.recipe;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.settings.Declared;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;
import slimvox.storage.Sha256;

/**
 * Every setting of a training run.
 *
 * <p>On disk a recipe is YAML with these sections and keys; what a file leaves out, or gives as
 * null, has its default. A key in a text is dotted: {@code model.width=8}. Unknown keys, wrong
 * types and impossible values are refused in one line with file, line, key and what is allowed.
 */
public record Recipe(
    @Setting(value = "Where all random numbers of the run start from.", byDefault = "42") long seed,
    ModelSpec model,
    DataSettings data,
    LossSettings loss,
    OptimizerSettings optimizer,
    TransferSettings transfer,
    RunSettings run) {

  /** What settings there are. */
  public static final Declared<Recipe> SETTINGS = Declared.of(Recipe.class);

  private static final String BASE = "wespeaker-resnet34";

  /** Recipes that differ from {@link #BASE} in a few settings. */
  private static final Map<String, List<String>> VARIANTS = variants();

  /** The recipes that ship with SlimVox, for {@link #shipped}. */
  public static final List<String> SHIPPED =
      Stream.concat(Stream.of("quick-start", BASE), VARIANTS.keySet().stream()).toList();

  private static Map<String, List<String>> variants() {
    Map<String, List<String>> variants = new LinkedHashMap<>();
    // WeSpeaker's large-margin fine-tuning; its rates are times batch / 64.
    variants.put(
        BASE + "-lm",
        List.of(
            "transfer.from=runs/" + BASE + "/average.safetensors",
            "data.frames=600",
            "data.speeds=[1.0]",
            "loss.margin.initial=0.5",
            "loss.margin.final=0.5",
            "loss.margin.start=0 epochs",
            "loss.margin.end=0 epochs",
            "optimizer.learningRate.initial=0.0002",
            "optimizer.learningRate.final=0.00005",
            "optimizer.learningRate.warmup=0 steps",
            "run.length=10 epochs"));
    // Layers as DF-ResNet's authors count them, and as WeSpeaker does in its Gemini networks.
    Map<String, String> names = new LinkedHashMap<>();
    names.put("df-resnet56", "Gemini-DF-ResNet60");
    names.put("df-resnet110", "Gemini-DF-ResNet114");
    names.put("df-resnet179", "Gemini-DF-ResNet183");
    names.put("df-resnet233", "Gemini-DF-ResNet237");
    names.forEach(
        (name, model) -> {
          for (String kind : List.of("", "-type1", "-type2")) {
            List<String> settings = new ArrayList<>();
            settings.add("model.name=" + model);
            if (kind.equals("-type1")) settings.add("model.reversible=partial");
            if (kind.equals("-type2")) settings.add("model.reversible=full");
            variants.put(name + kind, List.copyOf(settings));
            settings.add("optimizer.state.bits=8");
            variants.put(name + kind + "-8bit", settings);
          }
        });
    variants.put("binary-resnet34", List.of("model.binary.scheme=bwn"));
    return variants;
  }

  /** Networks leave an eighth of the frames, and the deviation of one frame does not exist. */
  private static final int LEAST_FRAMES = 9;

  public Recipe {
    Models.requireKnown(model.name());
    long values = (long) run.batch() * data.frames() * model.bins();
    if (values > Integer.MAX_VALUE - 8) {
      throw new InvalidSetting(
          "run.batch",
          "%d examples of %d frames x %d bins are more than a Java array holds; make one smaller"
              .formatted(run.batch(), data.frames(), model.bins()));
    }
    String fault = Models.binarizationFault(model);
    if (fault != null) {
      String key = model.binary().layers() == null ? "scheme" : "layers";
      throw new InvalidSetting("model.binary." + key, fault);
    }
    String savingFault = Models.savingFault(model);
    if (savingFault != null) throw new InvalidSetting("model.reversible", savingFault);
    if (model.pooling() == ModelSpec.Pooling.TSTP && data.frames() < LEAST_FRAMES) {
      throw new InvalidSetting(
          "data.frames",
          "%d is not possible with tstp pooling; allowed is at least %d"
              .formatted(data.frames(), LEAST_FRAMES));
    }
  }

  /** Everything at its default. */
  public static Recipe defaults() {
    return SETTINGS.defaults();
  }

  /**
   * Reads a recipe.
   *
   * @param file YAML in UTF-8
   * @param settings {@code key=value} pairs that win over the file, values in YAML
   * @throws InputException if the file or a setting cannot be used
   */
  public static Recipe read(Path file, String... settings) {
    return SETTINGS.read(file, settings);
  }

  /** The same of a path. */
  public static Recipe read(String file, String... settings) {
    return read(Path.of(file), settings);
  }

  /** Reads a recipe from a text, which messages call by the name; refuses as {@link #read}. */
  public static Recipe parse(String yaml, String name, String... settings) {
    return SETTINGS.parse(yaml, name, settings);
  }

  /** Reads one of the {@link #SHIPPED} recipes; other names and impossible settings are refused. */
  public static Recipe shipped(String name, String... settings) {
    return parse(shippedText(name), name + ".yaml", settings);
  }

  /**
   * One of the {@link #SHIPPED} recipes as it is written, with its comments; one that differs from
   * another in a few settings begins with them.
   *
   * @throws InputException if there is none of this name
   */
  public static String shippedText(String name) {
    if (!SHIPPED.contains(name)) {
      throw new InputException(
          "%s: no such recipe; the nearest is %s; SlimVox ships %s"
              .formatted(
                  name, NearestNames.of(name, SHIPPED, 1).getFirst(), String.join(", ", SHIPPED)));
    }
    List<String> variant = VARIANTS.get(name);
    if (variant != null) {
      String difference = String.join(" ", variant);
      return "# %s with %s\n%s"
          .formatted(BASE, difference, shipped(BASE, variant.toArray(String[]::new)).toYaml());
    }
    try (InputStream in = Recipe.class.getResourceAsStream("/recipes/" + name + ".yaml")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new InputException(name + ".yaml: cannot be read from the jar", e);
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
    return SETTINGS.with(this, settings);
  }

  /**
   * All settings as YAML, defaults included: the same recipe gives the same text. Settings that
   * came later are left out where they are the default, so that hashes stay.
   */
  public String toYaml() {
    return SETTINGS.toYaml(this);
  }

  /** The first 12 hexadecimal digits of the SHA-256 of {@link #toYaml()}. */
  public String hash() {
    byte[] digest = Sha256.digest().digest(toYaml().getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest, 0, 6);
  }

  /** The fewest settings that say the same as YAML, below the {@link #hash()}. */
  @Override
  public String toString() {
    return "# recipe %s; settings that are not here have their defaults%n%s"
        .formatted(hash(), SETTINGS.toShortYaml(this));
  }
}
