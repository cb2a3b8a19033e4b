package slimvox.kernel;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import slimvox.data.FeatureAugmentation;
import slimvox.kernel.Completions.Item;
import slimvox.loss.Classifier;
import slimvox.models.Models;
import slimvox.optim.Optimizer;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/** What could stand in a text of a cell: recipes, settings and their values, files. */
final class RecipeText {
  private static final String SHIPPED = "shipped";
  private static final int MOST_FILES = 200;

  private RecipeText() {}

  /** The setting that a text begins with; null if it is none. */
  static Key setting(String text) {
    Key key = Recipe.SETTINGS.keys().get(text.split("=", 2)[0].strip());
    return key == null || key.isSection() ? null : key;
  }

  /** What could stand where the cursor is, and what of the text it replaces. */
  static Completions at(CellCursor cursor, int position) {
    String text = cursor.text();
    if (cursor.method().equals(SHIPPED) && cursor.argument() == 0) {
      return of(text, position, Recipe.SHIPPED.stream().map(name -> item(name, "recipe")));
    }
    int equals = text.indexOf('=');
    Key key = setting(text);
    if (equals >= 0 && key != null) {
      String value = text.substring(equals + 1);
      Completions values = of(value, position, values(key, cursor));
      return values.items().isEmpty() && key.type() == String.class
          ? files(value, position)
          : values;
    }
    boolean takesSettings =
        switch (cursor.method()) {
          case SHIPPED, "read" -> cursor.argument() > 0;
          case "parse" -> cursor.argument() > 1;
          case "with" -> true;
          default -> false;
        };
    if (takesSettings) {
      return of(text, position, Recipe.SETTINGS.settings("").stream().map(RecipeText::item));
    }
    return files(text, position);
  }

  private static Completions of(String text, int position, Stream<Item> items) {
    return new Completions(
        position - text.length(), items.filter(item -> item.text().startsWith(text)).toList());
  }

  private static Item item(String text, String type) {
    return new Item(text, text, type);
  }

  private static Item item(Key key) {
    String allowed = key.allowed();
    return item(
        key.name() + "=", key.shownDefault() + (allowed.isEmpty() ? "" : " (" + allowed + ")"));
  }

  private static Stream<Item> values(Key key, CellCursor cursor) {
    List<String> named =
        switch (key.name()) {
          case "model.name" -> Models.names();
          case "loss.name" -> Classifier.REGISTRY.names();
          case "optimizer.name" -> Optimizer.REGISTRY.names();
          case "data.augmentations" -> FeatureAugmentation.REGISTRY.names();
          case "data.trials" -> trials(cursor);
          default -> null;
        };
    if (named != null) return named.stream().map(name -> item(name, key.name()));
    return key.examples().stream()
        .map(
            value ->
                item(value, (value.equals(key.shownDefault()) ? "default; " : "") + key.allowed()));
  }

  /** The lists of trials of the corpus that the same call names, or its recipe. */
  private static List<String> trials(CellCursor cursor) {
    try {
      List<String> given = cursor.earlier();
      boolean shipped = cursor.method().equals(SHIPPED) && !given.isEmpty();
      String[] settings =
          given.stream().filter(t -> setting(t) != null && t.contains("=")).toArray(String[]::new);
      Recipe recipe =
          shipped ? Recipe.shipped(given.getFirst(), settings) : Recipe.defaults().with(settings);
      String folder = recipe.data().validationFolder() + "/trials/";
      return files(folder, 0).items().stream()
          .map(item -> item.text().replaceFirst("\\.txt$", ""))
          .toList();
    } catch (InputException e) {
      return List.of();
    }
  }

  /** Files whose path begins with a text. */
  private static Completions files(String text, int position) {
    int name = text.lastIndexOf('/') + 1;
    String folder = name == 0 ? "." : text.substring(0, name);
    List<Item> items = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(Path.of(folder))) {
      for (Path file : found) {
        String path = file.getFileName() + (Files.isDirectory(file) ? File.separator : "");
        if (path.startsWith(text.substring(name))
            && !(path.startsWith(".") && name == text.length()))
          items.add(item(path, Files.isDirectory(file) ? "folder" : "file"));
        if (items.size() == MOST_FILES) break;
      }
    } catch (IOException | InvalidPathException e) {
      return new Completions(position, List.of()); // no such folder
    }
    items.sort((a, b) -> a.text().compareTo(b.text()));
    return new Completions(position - text.length() + name, items);
  }
}
