package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.data.Corpus;
import slimvox.verify.Comparison;
import slimvox.verify.Measure;
import slimvox.verify.Replicates;
import slimvox.verify.Scores;
import slimvox.verify.SpeakerDraws;
import slimvox.verify.Trials;
import slimvox.verify.Variant;

class CompareCommandTest extends CommandLineTest {
  @TempDir Path folder;

  /** Scores of every pair of trials, the better the higher {@code quality} is. */
  private Path scores(String name, Trials trials, double quality, long seed) {
    Random random = new Random(seed);
    double[] values = new double[trials.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextGaussian() + (trials.isTarget(i) ? quality : 0);
    }
    Path file = folder.resolve(name);
    new Scores("made", trials, values).write(file, Scores.Format.VOXSRC);
    return file;
  }

  @Test
  void systemsAreComparedWithTheFirst() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 8, 4);
    Trials.Builder pairs = Trials.builder("pairs");
    for (int a = 0; a < 32; a++) {
      for (int b = 0; b < a; b++) pairs.add(id(a), id(b), a / 4 == b / 4);
    }
    Path list = folder.resolve("pairs.txt");
    pairs.build().write(list, Trials.Format.VOXCELEB);
    Trials trials = Trials.read(list);
    List<Path> files = new ArrayList<>();
    for (int i = 0; i < 5; i++) files.add(scores("s" + i, trials, i < 3 ? 1 : 3, i));
    Path none = scores("none", trials, 0.5, 9);
    String slow = "slow=" + files.get(0) + "," + files.get(1) + "," + files.get(2);
    String fast = "fast=" + files.get(3) + "," + files.get(4);
    Object[] command = {
      "compare", corpus, list, slow, fast, "none=" + none, "--untrained=none", "--json"
    };
    run("compare", corpus, list, slow, slow)
        .isRefusedAsUsage("compare", "two systems are named slow");
    run("compare", corpus, list, slow, "one=" + none + "," + none)
        .isRefusedAsUsage("compare", "one has " + none + " twice");
    JsonNode json = run(command).succeeds().json();
    assertEquals(8, json.get("speakers").asInt());
    JsonNode eer = json.get("eer_percent");
    assertEquals(3, eer.get("systems").get(0).get("runs").asInt());

    SpeakerDraws draws = SpeakerDraws.of(Corpus.open(corpus)::speakerOf, trials);
    List<Replicates> runs = new ArrayList<>();
    for (Path file : files) runs.add(draws.errorRates(Scores.read(file, trials)));
    Variant reference = Variant.trained("slow", runs.subList(0, 3));
    Variant untrained = Variant.untrained("none", draws.errorRates(Scores.read(none, trials)));
    Comparison first =
        Comparison.family(
                List.of(
                    Comparison.of(
                        reference, Variant.trained("fast", runs.subList(3, 5)), Measure.EER, 0.1),
                    Comparison.of(reference, untrained, Measure.EER, 0.1)),
                0)
            .getFirst();
    JsonNode compared = eer.get("comparisons").get(0);
    assertEquals("fast", compared.get("system").asText());
    assertEquals(first.low(), compared.get("low").asDouble(), 1e-12);
    assertEquals(first.pDifferent(), compared.get("p_different").asDouble(), 1e-12);
    assertEquals("better", compared.get("verdict").asText());
    assertFalse(eer.get("comparisons").get(1).get("verdict").asText().contains("one run"));

    String text = run("compare", corpus, list, slow, fast, "none=" + none).succeeds().out();
    assertTrue(text.contains("cannot tell (one run: interval over speakers only)"), text);
    assertTrue(
        text.lines().anyMatch(l -> l.startsWith("fast") && l.strip().endsWith("better")), text);

    run("compare", corpus, list, slow, fast, "--margin=0").failsWith("margin 0.0 is not between");
    run("compare", corpus, list, slow, "fast")
        .isRefusedAsUsage("compare", "'fast' is not NAME=SCORES[,SCORES...]");
    run("compare", corpus, list, slow, fast, "--untrained=no")
        .isRefusedAsUsage("compare", "--untrained no is none of the systems");
    run("compare", corpus, list, slow, fast, "--resample")
        .isRefusedAsUsage("compare", "--resample and --longest are for recordings; leave them out");
    run("compare", corpus, list, slow, "--margin=0.2")
        .isRefusedAsUsage("compare", "one system has nothing to be compared with");
    run("compare", "m.safetensors", "a.wav", "b.wav", "--margin=0.2")
        .isRefusedAsUsage("compare", "--margin and --untrained are for systems; leave them out");
    run("compare", corpus, list, slow, fast, "--untrained=fast")
        .failsWith("fast: 2 runs of what has no training");
  }

  private static String id(int utterance) {
    return "s%d-u%d".formatted(utterance / 4, utterance % 4);
  }
}
