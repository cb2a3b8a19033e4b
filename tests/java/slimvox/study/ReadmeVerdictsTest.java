package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The tables of verdicts in README.md follow from the stored summaries. With {@code -Dreadme=write}
 * it is written anew.
 */
class ReadmeVerdictsTest {
  private static final Path README = Path.of("README.md");
  private static final String FROM = "<!-- verdicts of the stored summaries, see ";
  private static final String TO = "\nThe margin ";

  /** What README says of a variant of an experiment. */
  private record Line(String what, String experiment, String variant) {}

  private static final List<Line> LINES =
      List.of(
          new Line("ResNet18, pre-activation", "reversible-resnet", "pre-activation"),
          new Line("ResNet18, type I", "reversible-resnet", "type I"),
          new Line("ResNet18, type II", "reversible-resnet", "type II"),
          new Line("ResNet34, type II", "depth", "type II 34"),
          new Line("ResNet50, type II", "depth", "type II 50"),
          new Line("DF-ResNet56, pre-activation", "reversible-df", "pre-activation"),
          new Line("DF-ResNet56, type I", "reversible-df", "type I"),
          new Line("DF-ResNet56, type II", "together-df", "type II"),
          new Line("DF-ResNet110, type II", "depth", "type II DF 110"),
          new Line("AdamW, state of 8 bits", "eight-bit", "AdamW, 8 bits"),
          new Line("SGD, state of 8 bits", "eight-bit", "SGD, 8 bits"),
          new Line("ResNet18, type II and 8 bits", "together-resnet", "type II, 8 bits"),
          new Line("DF-ResNet56, type II and 8 bits", "together-df", "type II, 8 bits"),
          new Line("ResNet18, bfloat16", "bits", "vanilla, bfloat16"),
          new Line("type II, bfloat16", "bits", "type II, bfloat16"),
          new Line("type II, streams of 16 bits", "bits", "type II, fixed16"),
          new Line("type II, streams of 8 bits", "bits", "type II, fixed8"),
          new Line("one bit a weight (W1A32)", "binary", "binary weights"),
          new Line("one bit for both (W1A1; a third more steps)", "binary", "one bit for both"),
          new Line("ResNet34", "depth", "vanilla 34"),
          new Line("ResNet50", "depth", "vanilla 50"),
          new Line("DF-ResNet110", "depth", "vanilla DF 110"));

  private static final List<Line> OF_ONE_WORD =
      List.of(
          new Line("float, trained on that word alone", "one-word", "the word alone"),
          new Line("one bit a weight, trained on all words", "one-word", "binary, all words"),
          new Line("one bit a weight, on that word alone", "one-word", "binary, the word alone"));

  @Test
  void theTableIsThatOfTheStoredSummaries() throws IOException {
    String readme = Files.readString(README);
    int from = readme.indexOf('\n', readme.indexOf(FROM)) + 1;
    int to = readme.indexOf(TO, from);
    String table =
        table(" | against | same word | different words | four words joined", LINES)
            + "\n"
            + table("text-dependent | against | one word | the same word", OF_ONE_WORD);
    if ("write".equals(System.getProperty("readme"))) {
      Files.writeString(README, readme.substring(0, from) + table + readme.substring(to));
    } else {
      assertEquals(table, readme.substring(from, to), "-Dreadme=write writes README.md anew");
    }
  }

  private static String table(String columns, List<Line> lines) {
    Map<String, ExperimentResults> read = new HashMap<>();
    String header = "| " + columns + " |\n";
    StringBuilder table = new StringBuilder(header).append(header.replaceAll("[^|\n]+", "---"));
    for (Line line : lines) {
      ExperimentResults results = read.computeIfAbsent(line.experiment, ReadmeVerdictsTest::read);
      Experiment experiment = results.experiment();
      List<String> cells = new ArrayList<>();
      cells.add(line.what);
      cells.add(experiment.against(experiment.candidate(line.variant)).name());
      for (String list : results.decidingLists()) {
        ExperimentResults.Row row = results.row(list, line.variant);
        String difference = row.differenceText();
        cells.add(difference == null ? row.verdict() : difference + " %: " + row.verdict());
      }
      table.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }
    return table.toString();
  }

  private static ExperimentResults read(String experiment) {
    return new ExperimentRuns(Experiment.shipped(experiment), Places.ofProject()).results();
  }
}
