package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

class ResultsTest {
  @Test
  void aSystemWithoutScoresOnAListIsNamed() {
    Trials trials =
        Trials.builder("lists/own.txt").add("a", "b", true).add("a", "c", false).build();
    Results results = new Results();
    results.add("one", new Scores("one.txt", trials, new double[] {1, 0}));
    assertEquals(2, results.det("own", "one").series().size(), "the diagonal and one system");
    for (String[] asked : new String[][] {{"own", "two"}, {"own", "one", "two"}, {"other"}}) {
      String[] systems = java.util.Arrays.copyOfRange(asked, 1, asked.length);
      assertThrows(IllegalArgumentException.class, () -> results.det(asked[0], systems));
    }
  }
}
