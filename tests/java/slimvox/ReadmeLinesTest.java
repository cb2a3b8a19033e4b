package slimvox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What README.md says of the size of the parts is what {@code lib/bin/lines} counts, rounded. */
class ReadmeLinesTest {
  /** How far a number may be off, as a share of what is counted. */
  private static final double TOLERANCE = 0.05;

  /** A row of the table: packages between backquotes, lines in the last cell. */
  private static final Pattern ROW =
      Pattern.compile("(?m)^\\| [a-z ]+ \\| (`[^|]+) \\| [^|]+ \\| ([0-9,]+) \\|$");

  private static final Pattern CUDA = Pattern.compile("([0-9,]+) lines of CUDA");

  @Test
  void theTableOfPartsIsWhatIsCounted() throws Exception {
    Map<String, Integer> counted = counted();
    String readme = Files.readString(Path.of("README.md"));
    String section = readme.substring(readme.indexOf("## What is core"));
    Set<String> packages = new HashSet<>();
    int rows = 0;
    for (MatchResult row : (Iterable<MatchResult>) ROW.matcher(section).results()::iterator) {
      int sum = 0;
      for (String name : row.group(1).split("[^a-z.]+")) {
        if (counted.containsKey(name) && packages.add(name)) sum += counted.get(name);
      }
      assertNear(sum, row.group(2), row.group(1));
      rows++;
    }
    assertEquals(6, rows);
    Set<String> sums = Set.of("core", "around it", "Java", "CUDA C++");
    Set<String> missing = new HashSet<>(counted.keySet());
    missing.removeAll(packages);
    assertEquals(sums, missing);
    MatchResult cuda = CUDA.matcher(section).results().findFirst().orElseThrow();
    assertNear(counted.get("CUDA C++"), cuda.group(1), "lib/cuda");
  }

  private static void assertNear(int counted, String said, String what) {
    int number = Integer.parseInt(said.replace(",", ""));
    assertTrue(
        Math.abs(number - counted) <= TOLERANCE * counted,
        "README.md says %s lines of %s, lib/bin/lines %,d".formatted(said, what, counted));
  }

  /** Lines by package, and the sums beside them. */
  private static Map<String, Integer> counted() throws Exception {
    Process lines = new ProcessBuilder("lib/bin/lines").redirectErrorStream(true).start();
    String said = new String(lines.getInputStream().readAllBytes());
    assertEquals(0, lines.waitFor(), said);
    Map<String, Integer> counted = new HashMap<>();
    for (String line : said.lines().toList()) {
      int number = line.lastIndexOf(' ') + 1;
      counted.put(line.substring(0, number).strip(), Integer.valueOf(line.substring(number)));
    }
    return counted;
  }
}
