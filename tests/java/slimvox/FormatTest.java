package slimvox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.googlejavaformat.java.Formatter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Every Java source is formatted by google-java-format.
 *
 * <p>{@code mvn test -Dtest=FormatTest -Dformat=write} formats the sources in place. The formatter
 * runs here and not as a Maven plugin, because it parses with the JDK it runs on, and Maven itself
 * may run on one that is too old for these sources.
 */
class FormatTest {
  @Test
  void sourcesAreFormatted() throws Exception {
    boolean write = "write".equals(System.getProperty("format"));
    List<Path> sources = new ArrayList<>();
    for (String root : List.of("lib/java", "lib/bench", "lib/kernel", "lib/study", "tests/java")) {
      try (var files = Files.walk(Path.of(root))) {
        files.filter(f -> f.toString().endsWith(".java")).sorted().forEach(sources::add);
      }
    }
    assertFalse(sources.isEmpty(), "no sources under lib and tests");
    Formatter formatter = new Formatter();
    List<Path> unformatted = new ArrayList<>();
    for (Path source : sources) {
      String text = Files.readString(source);
      String formatted = formatter.formatSourceAndFixImports(text);
      if (formatted.equals(text)) continue;
      if (write) {
        Files.writeString(source, formatted);
      } else {
        unformatted.add(source);
      }
    }
    assertEquals(
        List.of(),
        unformatted,
        "run: mvn test -Dtest=FormatTest -Dformat=write (formats in place)");
  }
}
