package slimvox.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.recipe.Recipe;
import slimvox.report.Values;
import slimvox.step.CheckpointFile;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Provenance;
import slimvox.storage.Safetensors;
import slimvox.storage.Sha256;
import slimvox.storage.TextLines;
import slimvox.verify.Scores;

/** Where a file comes from. */
@Command(
    name = "show",
    description = {
      "Say where a checkpoint, packed network, file of embeddings or of scores comes from.",
      "That is recipe, training data, seed and code; what a file does not tell is named as missing."
    })
final class ShowCommand extends Subcommand {
  /**
   * After the name of a score file: a comment in it would be a trial to those who read score files.
   */
  private static final String BESIDE = ".json";

  private static final String SCORES = "scores_sha256";

  private static final int LONGEST_LINE = 1 << 16;

  @Parameters(index = "0", paramLabel = "FILE", description = "The file.")
  private Path file;

  @Override
  public Integer call() {
    Values values = new Values();
    values.put("file", file.toString());
    Map<String, String> found;
    if (isSafetensors()) {
      Safetensors tensors = Safetensors.open(file);
      values.put("kind", kind(tensors.metadata()));
      values.put("tensors", tensors.names().size());
      found = of(file);
      for (String key : List.of("steps", "classes", "averaged", "checkpoint", "model", "scheme")) {
        String value =
            tensors.metadata().getOrDefault(key, tensors.metadata().get("origin." + key));
        if (value != null) found.put(key, value);
      }
    } else {
      found = beside();
      if (found == null) {
        requireScores();
        found = new LinkedHashMap<>();
      }
      values.put("kind", "scores");
    }
    StringBuilder text = new StringBuilder(values.text("{file}: {kind}\n"));
    for (String key : Provenance.KEYS) found.putIfAbsent(key, null);
    found.forEach(
        (key, value) ->
            text.append("%-22s %s\n".formatted(key, value == null ? "not in this file" : value)));
    values.putAll(found);
    result(text.toString(), values);
    return 0;
  }

  /** Whether its first bytes are those of a file of tensors; else it is text, or PyTorch's. */
  private boolean isSafetensors() {
    try (var in = Files.newInputStream(file)) {
      byte[] first = in.readNBytes(9);
      return first.length == 9 && (first[8] == '{' || first[0] == 'P' && first[1] == 'K');
    } catch (IOException e) {
      String why = TextLines.reason(e);
      boolean missing = e instanceof NoSuchFileException;
      throw new InputException(file + (missing ? ": " : ": cannot be read: ") + why, e);
    }
  }

  private void requireScores() {
    try (var in = Files.newInputStream(file)) {
      String start = new String(in.readNBytes(LONGEST_LINE), StandardCharsets.UTF_8);
      if (Scores.isScore(start.lines().findFirst().orElse("").replace("\uFEFF", ""))) return;
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read: " + e.getMessage(), e);
    }
    throw InputException.at(
        file,
        "is neither tensors nor scores; give a checkpoint, packed network, embeddings or scores");
  }

  private static String kind(Map<String, String> metadata) {
    if (metadata.containsKey("slimvox.packed")) return "packed network";
    if (metadata.containsKey("averaged")) return "mean of checkpoints";
    if (metadata.containsKey("recipe")) return "checkpoint";
    if (metadata.containsKey("cmn")) return "embeddings";
    return "tensors of another program";
  }

  private static Path beside(Path scores) {
    return Path.of(scores + BESIDE);
  }

  /** What was written beside a score file, if it is of that file; null without one. */
  private Map<String, String> beside() {
    Path beside = beside(file);
    Map<String, String> found = written(beside);
    if (found == null || Sha256.of(file).equals(found.get(SCORES))) return found;
    throw InputException.at(
        beside, "is of other scores than %s has now; remove it, or score again", file);
  }

  private static Map<String, String> written(Path beside) {
    if (!Files.exists(beside)) return null;
    Throwable why = null;
    try {
      Map<String, String> found =
          new ObjectMapper()
              .readValue(beside.toFile(), new TypeReference<LinkedHashMap<String, String>>() {});
      if (found != null && found.containsKey(SCORES)) return found;
    } catch (IOException e) {
      why = e;
    }
    throw new InputException(
        beside
            + ": is not what 'slimvox score' writes beside scores; move it away, or name the scores"
            + " otherwise",
        why);
  }

  /** Refuses to write beside a score file where it comes from if that name is something else's. */
  static void requireBeside(Path scores) {
    written(beside(scores));
  }

  /** Writes beside a score file where it comes from; nothing beside a pipe. */
  static void writeBeside(Path scores, Map<String, String> provenance) {
    if (!Files.isRegularFile(scores)) return;
    Map<String, String> texts = new LinkedHashMap<>(provenance);
    texts.put(SCORES, Sha256.of(scores));
    try {
      String json = new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(texts);
      AtomicFile.write(beside(scores), json + "\n");
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What a file of tensors tells; an older checkpoint's recipe tells its hash and seed. */
  static Map<String, String> of(Path file) {
    Safetensors tensors = Safetensors.open(file);
    Map<String, String> texts = Provenance.of(tensors.metadata());
    if (!texts.containsKey(Provenance.RECIPE) && tensors.metadata().containsKey("recipe")) {
      Recipe recipe = CheckpointFile.recipe(tensors);
      texts.put(Provenance.RECIPE, recipe.hash());
      texts.put(Provenance.SEED, Long.toString(recipe.seed()));
    }
    return texts;
  }
}
