package slimvox.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdk.jshell.JShell;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import slimvox.kernel.Completions.Item;
import slimvox.models.Models;
import slimvox.recipe.Recipe;

class CellHelpTest {
  private static JShell shell;
  private static CellHelp help;

  @BeforeAll
  static void open() {
    shell = JShell.builder().executionEngine("local").build();
    for (String statement :
        List.of(
            "import slimvox.train.*;",
            "import slimvox.recipe.*;",
            "import java.util.*;",
            "/** Twice a number. */ int twice(int number) { return 2 * number; }",
            "var recipe = Recipe.defaults();")) {
      shell.eval(statement);
    }
    help = new CellHelp(shell, Path.of("lib/java"));
  }

  @AfterAll
  static void close() {
    shell.close();
  }

  /** The text for a cell whose cursor is at |. */
  private static String at(String cell) {
    return help.at(cell.replace("|", ""), cell.indexOf('|'));
  }

  private static void assertBegins(String text, String cell) {
    String found = String.valueOf(at(cell));
    assertTrue(found.startsWith(text), cell + ": " + found);
  }

  @Test
  void signaturesAndCommentsOfSlimVox() {
    assertBegins("Trainer Trainer.of(Recipe recipe)", "Trainer.of(|");
    assertBegins("Recipe Recipe.shipped(String name, String... settings)\n\n", "Recipe.shipped(|");
    assertTrue(at("Recipe.shipped(|").contains("Reads one of the SHIPPED recipes; other names"));
    String text = at("Recipe.shippedText(|");
    assertTrue(text.contains("\n  throws: InputException if there is none"), text);
    assertBegins("Recipe Recipe.with(String... settings)", "int x = 1;\nrecipe.wi|th(\"a=b\")");
    assertBegins("Trainer\n\nTrains the network of a Recipe.\n\n", "Trainer|");
    assertBegins("Trainer Trainer.of(", "Trainer.of|");
    assertBegins("recipe:Recipe\n\nRecipe(long seed, ModelSpec model, ", "recipe|");
    assertNull(at("nothingOfThisName|"));
  }

  @Test
  void importsAndMethodsOfTheSameCellDoNotHide() {
    assertBegins(
        "String Recipe.hash()\n\nThe first 12 ",
        "import java.io.*;\nint f() { return 1; }\nrecipe.hash(|");
  }

  @Test
  void methodsOfTheNotebook() {
    assertBegins("int twice(int number)\n\nTwice a number.", "twice(|");
  }

  @Test
  void theJdkWhereItsSourcesAre() {
    assertBegins("String String.format(String format, Object... args)", "String.format(|");
    Path sources = Path.of(System.getProperty("java.home"), "lib/src.zip");
    Assumptions.assumeTrue(Files.exists(sources), "this JDK has no src.zip");
    assertTrue(at("String.format(|").contains("Returns a formatted string using the specified"));
  }

  @Test
  void settingsWithinTexts() {
    assertBegins("run.batch = ", "Recipe.shipped(\"quick-start\", \"run.batch=3|2\")");
    assertTrue(at("recipe.with(\"run.batch|").contains(" (1 to 1048576)\n\n"));
    assertTrue(help.of("optimizer.").contains("\n\noptimizer.weightDecay = "));
    assertNull(at("System.out.println(\"Trainer.of(|"));
  }

  @Test
  void whatACellAsks() {
    assertEquals("Trainer.of", CellHelp.asked("?Trainer.of"));
    assertEquals("Trainer", CellHelp.asked(" Trainer? "));
    assertEquals("run.batch", CellHelp.asked("run.batch??"));
    assertNull(CellHelp.asked("a ? b : c"));
  }

  private static List<Item> items(String cell) {
    return help.complete(cell.replace("|", ""), cell.indexOf('|')).items();
  }

  private static List<String> texts(String cell) {
    return items(cell).stream().map(Item::text).toList();
  }

  @Test
  void methodsCompleteWithTheirParameters() {
    Item with = items("import java.io.*;\nrecipe.wi|").getFirst();
    assertEquals("with(", with.text());
    assertTrue(with.label().startsWith("with(String... "), with.label());
    assertEquals("Recipe", with.type());
    assertTrue(items("Recipe.shi|").getFirst().label().startsWith("shipped(String "));
    assertEquals("twice(int)", items("twi|").getFirst().label());
    assertEquals(7, help.complete("recipe.wi", 9).start());
  }

  @Test
  void recipesAndSettingsCompleteWithinTexts() {
    assertEquals(Recipe.SHIPPED, texts("Recipe.shipped(\"|"));
    assertEquals(List.of("quick-start"), texts("var r = Recipe.shipped(\"qui|\")"));
    List<String> keys = texts("Recipe.shipped(\"quick-start\", \"optimizer.|");
    assertEquals(
        Recipe.SETTINGS.settings("optimizer.").stream().map(k -> k.name() + "=").toList(), keys);
    assertTrue(items("recipe.with(\"run.batch|").getFirst().type().endsWith(" (1 to 1048576)"));
    assertTrue(texts("Foo.bar(\"optimizer.|").isEmpty());
  }

  @Test
  void valuesCompleteWithinTexts() {
    assertEquals(Models.names(), texts("recipe.with(\"model.name=|"));
    assertEquals(List.of("sgd", "adam", "adamw"), texts("recipe.with(\"optimizer.name=|"));
    assertEquals(List.of("32", "8"), texts("recipe.with(\"optimizer.state.bits=|"));
    assertEquals(List.of("true"), texts("recipe.with(\"data.resample=t|"));
    List<String> trials = texts("Recipe.shipped(\"quick-start\", \"data.trials=val|");
    assertEquals(List.of("val-different-words", "val-joined", "val-same-word"), trials);
    String corpus = Path.of("data-scripts/speech-commands").toAbsolutePath().toString();
    assertEquals(
        trials, texts("recipe.with(\"data.validationCorpus=" + corpus + "\", \"data.trials=val|"));
  }

  @Test
  void filesCompleteWithinTexts() {
    assertEquals(List.of("trials/"), texts("Corpus.open(\"data-scripts/speech-commands/tri|"));
    assertEquals(List.of("pom.xml"), texts("Path.of(\"pom|"));
    assertEquals(List.of("pom.xml"), texts("Path.of(\"" + Path.of("pom").toAbsolutePath() + "|"));
    assertTrue(texts("\"$|").isEmpty());
    assertTrue(texts("Path.of(\"|").contains("README.md"));
  }

  @Test
  void theCursorWithinTextsIsFound() {
    Map.of(
            "f(\"a\", \"b", "b",
            "f(\"x(\\\"\", g(1, 2), \"b", "b",
            "// \"no\nf(\"b", "b",
            "f('\"', \"b", "b",
            "\"\"\"\n b", "\n b")
        .forEach((code, text) -> assertEquals(text, CellCursor.of(code, code.length()).text()));
    assertEquals(2, CellCursor.of("f(\"a\", g(1, 2), \"b", 18).argument());
    assertEquals(List.of("a"), CellCursor.of("f(\"a\", 1, \"b", 12).earlier());
    Stream.of("f(\"a\")", "// \"a", "'\"'", "/* \"a", "\"a\"")
        .forEach(code -> assertNull(CellCursor.of(code, code.length()).text(), code));
  }
}
