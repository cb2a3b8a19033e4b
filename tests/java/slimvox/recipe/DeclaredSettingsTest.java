package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.models.Models;
import slimvox.settings.Key;
import slimvox.settings.Setting;
import slimvox.storage.InputException;

/** What follows from the declarations alone; how texts are read: RecipeTest, RecipeReaderTest. */
class DeclaredSettingsTest {
  static Stream<String> keys() {
    return Recipe.SETTINGS.settings("").stream().map(Key::name);
  }

  /** A key that is set to null has its default, and no other changes. */
  @ParameterizedTest
  @MethodSource("keys")
  void nullIsTheDefault(String key) {
    assertEquals(Recipe.defaults(), Recipe.defaults().with(key + "=null"));
    Recipe shipped = Recipe.shipped("wespeaker-resnet34");
    List<String> changed = Recipe.SETTINGS.difference(shipped, shipped.with(key + "=null"));
    assertTrue(changed.stream().allMatch(s -> s.startsWith(key + "=")), changed.toString());
  }

  @ParameterizedTest
  @MethodSource("keys")
  void aShownDefaultIsTheDefault(String key) {
    Key setting = Recipe.SETTINGS.keys().get(key);
    if (setting.setting().onlyWith().length > 0) return; // null in the default recipe
    assertEquals(Recipe.defaults(), Recipe.defaults().with(key + "=" + setting.shownDefault()));
  }

  @Test
  void theDifferenceOfTwoRecipesMakesOneOfTheOther() {
    Recipe from = Recipe.defaults();
    Recipe to =
        Recipe.defaults()
            .with(
                "model.reversible=full",
                "model.slice=16",
                "optimizer.update=in-backward",
                "data.trainWords=[yes, no]",
                "run.length=7 steps");
    List<String> difference = Recipe.SETTINGS.difference(from, to);
    assertEquals(5, difference.size(), difference.toString());
    assertEquals(to, from.with(difference.toArray(String[]::new)));
  }

  @Test
  void whatOnlyAnotherSchemeHasIsDroppedWithIt() {
    Recipe binary = Recipe.defaults().with("model.binary.scheme=w1a1", "model.binary.shifts=false");
    assertEquals(Recipe.defaults(), binary.with("model.binary.scheme=none"));
    assertEquals(
        "setting model.binary.shifts=false: model.binary.shifts: false has no effect with scheme"
            + " bwn",
        assertThrows(
                InputException.class,
                () -> binary.with("model.binary.scheme=bwn", "model.binary.shifts=false"))
            .getMessage());
  }

  @Test
  void aRunMayGoOnWithOtherSettingsOnlyIfTheyDecideNoBits() {
    Recipe recipe = Recipe.defaults();
    for (String free :
        List.of(
            "optimizer.state.bits=8",
            "optimizer.update=in-backward",
            "data.cacheFolder=c",
            "data.source=streaming",
            "run.batch=7",
            "run.memoryBudget=1GB",
            "run.threads=3")) {
      assertEquals(
          List.of(),
          Recipe.SETTINGS.difference(recipe, recipe.with(free), Setting::decidesBits),
          free);
    }
    for (String deciding :
        List.of("seed=1", "run.length=9 steps", "run.tf32=true", "run.math=bfloat16")) {
      assertEquals(
          List.of(deciding),
          Recipe.SETTINGS.difference(recipe, recipe.with(deciding), Setting::decidesBits));
    }
    assertEquals(
        List.of("run.length=9 steps"),
        Recipe.SETTINGS.difference(
            recipe, recipe.with("seed=1", "run.length=9 steps"), Setting::mayChange));
  }

  @Test
  void everyModelIsNamed() {
    String sentence = Recipe.SETTINGS.keys().get("model.name").setting().value();
    for (String name : Models.names()) assertTrue(sentence.contains(name), name);
  }

  /** README.md lists what saves memory, one row a setting. */
  @Test
  void theReadmeSaysWhatTheDeclarationsSay() throws Exception {
    String readme = Files.readString(Path.of("README.md"));
    List<String> rows =
        Stream.of("model.re", "model.units", "model.or", "model.st", "model.sl", "model.k", "opt")
            .flatMap(prefix -> Recipe.SETTINGS.settings(prefix).stream())
            .filter(k -> !k.setting().flag().isEmpty() && !k.name().equals("optimizer.name"))
            .map(DeclaredSettingsTest::row)
            .toList();
    assertEquals(11, rows.size());
    for (String row : rows)
      assertTrue(readme.contains("\n" + row + "\n"), "README.md lacks " + row);
  }

  private static String row(Key key) {
    return "| `%s` | `%s` | %s | %s | %s |"
        .formatted(
            key.setting().flag(),
            key.name(),
            key.shownDefault(),
            key.allowed(),
            key.setting().value());
  }
}
