package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.recipe.RecipeTest.refusal;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.Fuzz;
import slimvox.storage.InputException;

/** Where people and YAML 1.1 read a text in two ways. */
class RecipeReaderTest {
  @TempDir Path folder;

  /** What YAML 1.1 takes for a truth value, a number, a date or nothing is a word here. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "yes",
        "no",
        "Yes",
        "NO",
        "on",
        "off",
        "y",
        "n",
        "true",
        "False",
        "null",
        "Null",
        "1e3",
        "010",
        "0o17",
        "0x10",
        "0b1",
        "1_000",
        "1:30",
        "190:20:30",
        "+5",
        "-1",
        ".5",
        "5.",
        "1.50",
        ".inf",
        ".nan",
        "NaN",
        "2024-01-01",
        "2024-01-01T10:00:00Z",
        "=",
        "00",
        "1e",
        "007"
      })
  void plainWordsAreTexts(String word) {
    List<Recipe> recipes =
        List.of(
            Recipe.parse("data: {trainWords: [a, %s]}".formatted(word), "r.yaml"),
            Recipe.parse("data:\n  trainWords:\n  - a\n  - %s\n".formatted(word), "r.yaml"),
            Recipe.parse("data: {trainWords: [a, '%s']}".formatted(word), "r.yaml"),
            Recipe.defaults().with("data.trainWords=[a, %s]".formatted(word)),
            Recipe.defaults().with("data.trainWords=[a, \"%s\"]".formatted(word)));
    for (Recipe recipe : recipes) {
      assertEquals(List.of("a", word), recipe.data().trainWords());
      assertEquals(recipe, Recipe.parse(recipe.toYaml(), "again"));
    }
    Recipe quoted = Recipe.parse("data: {trials: '%s'}".formatted(word), "r.yaml");
    assertEquals(List.of(word), quoted.data().trials());
    assertEquals(quoted, Recipe.parse(quoted.toYaml(), "again"));
    if (word.equalsIgnoreCase("null")) return; // the default
    for (Recipe recipe :
        List.of(
            Recipe.parse("data: {trials: %s}".formatted(word), "r.yaml"),
            Recipe.defaults().with("data.trials=" + word))) {
      assertEquals(List.of(word), recipe.data().trials());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "seed, 10, 10",
    "seed, +5, 5",
    "seed, 1_000, 1000",
    "seed, -3, -3",
    "loss.scale, .5, 0.5",
    "loss.scale, 5e1, 50",
    "loss.scale, 1_000, 1000",
    "loss.scale, 2., 2",
    "loss.scale, '+1.5E+1', 15",
    "optimizer.learningRate.initial, 5e-5, 0.00005",
    "data.specAugment.timeFrames, 0, 0",
  })
  void numbersAreWhatTheyLookLike(String key, String text, String meant) {
    Recipe wanted = Recipe.defaults().with(key + "=" + meant);
    assertEquals(wanted, Recipe.defaults().with(key + "=" + text));
    assertEquals(wanted, Recipe.parse(sections(key) + text, "r.yaml"));
  }

  @ParameterizedTest
  @CsvSource({
    "seed, 010",
    "seed, -010",
    "seed, 00",
    "seed, 0o17",
    "seed, 0b1",
    "seed, 0x10",
    "seed, 1e3",
    "seed, 1_",
    "seed, 190:20:30",
    "seed, '\"10\"'",
    "run.batch, 08",
    "run.batch, 0_8",
    "loss.scale, 010",
    "loss.scale, 010.5",
    "loss.scale, 0x10",
    "loss.scale, 1:30",
    "loss.scale, NaN",
    "loss.scale, .nan",
    "loss.scale, .inf",
    "loss.scale, Infinity",
    "loss.scale, 30d",
    "loss.scale, yes",
    "data.speeds, '[1.0, 01.1]'",
    "data.speeds, '[1.0, 0x1p0]'",
    "model.rebuild, 1",
    "model.rebuild, y",
  })
  void numbersOfYamlThatPeopleReadInAnotherWayAreRefused(String key, String text) {
    String found = text.startsWith("[") ? text.substring(6, text.length() - 1) : text;
    found = found.replace("\"", "");
    String inFile = refusal(sections(key) + text);
    assertTrue(
        inFile.startsWith("r.yaml: line %d: %s".formatted(key.split("\\.").length, key))
            && inFile.matches(".*: needs .*|.*: (NaN|Infinity) is not possible.*")
            && inFile.contains(found),
        inFile);
    String set = refusal("{}", key + "=" + text);
    assertTrue(
        set.startsWith("setting " + key + "=") && set.matches(".*(: needs | is not possible).*"),
        set);
  }

  /** The beginning of a file in which the setting is on the last line. */
  private static String sections(String key) {
    StringBuilder yaml = new StringBuilder();
    String[] parts = key.split("\\.");
    for (int i = 0; i < parts.length; i++) {
      yaml.append("\n".repeat(Math.min(i, 1))).append("  ".repeat(i)).append(parts[i]).append(": ");
    }
    return yaml.toString();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "data: {trainWords: [&a yes, *a]}| line 1: data.trainWords: aliases are not read",
        "seed: &s 5\\nrun:\\n  batch: *s| line 3: run.batch: aliases are not read",
        "model: &m {width: 8}\\ndata: *m| line 2: data: aliases are not read",
        "model:\\n  <<: {width: 8}| line 2: model.<< is not a setting",
        "seed: !!int '010'| line 1: seed: tags (!) are not read",
        "data: {trials: !!binary aGVsbG8=}| line 1: data.trials: tags (!) are not read",
        "model: !x {width: 8}| line 1: model: tags (!) are not read",
        "seed: 1\\nseed: 2| line 2: not valid YAML (Duplicate field 'seed')",
        "seed: 1\\n---\\nseed: 2| a second document",
        "model:\\n\\twidth: 8| line 2: not valid YAML (a tab; indent with blanks)",
      })
  void whatSettingsDoNotNeedOfYamlIsRefused(String yaml, String message) {
    String refusal = refusal(yaml.replace("\\n", "\n").replace("\\t", "\t"));
    assertTrue(refusal.startsWith("r.yaml:") && refusal.contains(message), refusal);
  }

  @Test
  void filesOfAnySystemAreRead() throws Exception {
    Recipe wanted = Recipe.defaults().with("seed=5", "model.width=8");
    String yaml = "seed: 5\nmodel:\n  width: 8\n";
    for (String text : List.of("\uFEFF" + yaml, yaml.replace("\n", "\r\n"), yaml + "...\n")) {
      assertEquals(wanted, Recipe.read(Files.writeString(folder.resolve("r.yaml"), text)));
    }
    Path latin1 = folder.resolve("latin1.yaml");
    Files.write(latin1, "data: {trials: josé}".getBytes(StandardCharsets.ISO_8859_1));
    var e = assertThrows(InputException.class, () -> Recipe.read(latin1));
    assertEquals(latin1 + ": is not text in UTF-8", e.getMessage());
  }

  @Test
  void aRuleThatIsSetToTheDefaultItHasKeepsItsSettings() {
    Recipe recipe =
        Recipe.defaults().with("optimizer.momentum=0.8", "optimizer.learningRate.initial=0.05");
    assertEquals(recipe, recipe.with("optimizer.name=null"));
    Recipe adam = recipe.with("optimizer.name=adam", "optimizer.learningRate.initial=0.001");
    assertEquals(Recipe.defaults(), adam.with("optimizer.name=null"));
  }

  /** A damaged recipe is another one, or refused with one line. */
  @Test
  void damagedRecipesAreReadOrRefused() throws Exception {
    Path file = folder.resolve("damaged.yaml");
    Recipe recipe = Recipe.shipped("wespeaker-resnet34", "data.trainWords=[yes, no]");
    Files.writeString(file, recipe.toYaml());
    assertTrue(Fuzz.of(file).rounds(2000, Recipe::read) > 500);
  }
}
