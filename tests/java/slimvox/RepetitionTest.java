package slimvox;

import static java.util.stream.Collectors.joining;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import net.sourceforge.pmd.cpd.CPDConfiguration;
import net.sourceforge.pmd.cpd.CpdAnalysis;
import net.sourceforge.pmd.cpd.Match;
import net.sourceforge.pmd.lang.document.FileLocation;
import net.sourceforge.pmd.lang.java.JavaLanguageModule;
import org.junit.jupiter.api.Test;

/** No six lines of the library stand in it twice, as PMD's copy-paste detector sees it. */
class RepetitionTest {
  /** Fewer are found in any two calls with a few arguments. */
  private static final int TOKENS = 40;

  /** Lines that say more than a brace. */
  private static final int LINES = 6;

  /**
   * Repetitions that stay, with the reason: the ends of the names of all files that one may touch.
   */
  private static final Map<String, String> EXCUSED =
      Map.of(
          "backend/cpu/kernels/",
          "main loops and masked tails of the Vector API: a lambda for the body is boxed, 16 times"
              + " slower",
          "backend/cpu/optim/",
          "the search for the nearest code is written out where HotSpot inlines no further");

  @Test
  void nothingIsSaidTwice() throws Exception {
    CPDConfiguration settings = new CPDConfiguration();
    settings.setOnlyRecognizeLanguage(JavaLanguageModule.getInstance());
    settings.setMinimumTileSize(TOKENS);
    Set<String> unused = new HashSet<>(EXCUSED.keySet());
    Set<String> found = new TreeSet<>();
    try (CpdAnalysis detector = CpdAnalysis.create(settings)) {
      for (String root : List.of("lib/java", "lib/bench", "lib/kernel", "lib/study")) {
        detector.files().addDirectory(Path.of(root));
      }
      detector.performAnalysis(
          report -> {
            for (Match match : report.getMatches()) {
              if (lines(match.getFirstMark().getLocation()) < LINES) continue;
              List<String> places = places(match);
              List<String> reasons =
                  EXCUSED.keySet().stream()
                      .filter(part -> places.stream().allMatch(p -> p.contains(part)))
                      .toList();
              unused.removeAll(reasons);
              if (reasons.isEmpty()) {
                found.add(match.getLineCount() + " lines in " + String.join(" and ", places));
              }
            }
          });
    }
    assertTrue(found.isEmpty(), found.stream().collect(joining("\n", "repeated:\n", "\n")));
    assertTrue(unused.isEmpty(), "excuses without a repetition: " + unused);
  }

  private static List<String> places(Match match) {
    return StreamSupport.stream(match.spliterator(), false)
        .map(
            mark ->
                Path.of("")
                        .toAbsolutePath()
                        .relativize(Path.of(mark.getLocation().getFileId().getAbsolutePath()))
                    + ":"
                    + mark.getLocation().getStartLine())
        .toList();
  }

  /** Lines of a place that say more than a brace or {@code @Override}. */
  private static long lines(FileLocation place) {
    try (Stream<String> lines = Files.lines(Path.of(place.getFileId().getAbsolutePath()))) {
      return lines
          .skip(place.getStartLine() - 1)
          .limit(place.getEndLine() - place.getStartLine() + 1)
          .filter(line -> !line.strip().matches("[})]*;?|@Override"))
          .count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
