package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.recipe.Recipe;

/**
 * Size paper on a stand-in of VoxCeleb, MUSAN and RIRS_NOISES, of which the scripts make the lists;
 * only width and length are not that size's.
 */
class PaperRunsTest {
  private static final Pattern CALL = Pattern.compile("PaperRuns\\.inNotebook\\(([^)]*)\\)");

  @TempDir static Path folder;
  private static boolean python = true;

  @BeforeAll
  static void standIn() throws Exception {
    StringBuilder easy = new StringBuilder();
    for (int i = 0; i < 4; i++) {
      sound("vox2/dev/wav/id0001%d/vid/00001.wav".formatted(i), i, 9000);
      sound("vox2/dev/wav/id0001%d/vid/00002.wav".formatted(i), i, 9600);
      sound("vox1/wav/id10001/vid/0000%d.wav".formatted(i), 5, 9000 + i);
      sound("vox1/wav/id1027%d/vid/00001.wav".formatted(i), 6 + i, 9000);
      sound("vox1/wav/id1027%d/vid/00002.wav".formatted(i), 6 + i, 9500);
      easy.append("1 id1027%d/vid/00001.wav id1027%d/vid/00002.wav\n".formatted(i, i));
      easy.append("0 id1027%d/vid/00001.wav id10001/vid/0000%d.wav\n".formatted(i, i));
    }
    for (String list : List.of("veri_test2", "list_test_all2", "list_test_hard2")) {
      Files.writeString(folder.resolve("vox1/" + list + ".txt"), easy);
    }
    for (String kind : List.of("noise/free", "speech/read", "music/rfm")) {
      sound("musan/" + kind + "/a.wav", 11, 20_000);
    }
    for (String size : List.of("smallroom", "mediumroom", "largeroom")) {
      sound("rirs/simulated_rirs/" + size + "/Room001/Room001-00001.wav", 12, 2000);
    }
    script("musan.py", "musan", "data/noise.scp");
    script("rirs.py", "rirs", "data/rirs.scp");
    script(
        "voxceleb.py", "vox1", "data/voxceleb", "--voxceleb2", folder.resolve("vox2").toString());
  }

  private static void sound(String path, int seed, int length) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    float[] samples = new float[length];
    for (int t = 0; t < length; t++) {
      double tone = Math.sin(2 * Math.PI * (300 + 250 * seed) * t / 16000);
      samples[t] = (float) (t / 1600 % 2 * 0.3 * tone + 0.01 * random.nextGaussian());
    }
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    WavWriter.writePcm16(file, new Waveform(samples, 16000));
  }

  private static void script(String name, String in, String out, String... more) throws Exception {
    List<String> command = new ArrayList<>(List.of("python3", "-B", "data-scripts/" + name));
    command.addAll(List.of(folder.resolve(in).toString(), folder.resolve(out).toString()));
    command.add("--partial");
    command.addAll(List.of(more));
    Files.createDirectories(folder.resolve(out).getParent());
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes());
      assertEquals(0, process.waitFor(), output);
    } catch (IOException e) {
      python = false;
    }
  }

  private static PaperRuns runs(Path corpus) {
    return new PaperRuns(
        corpus,
        folder.resolve("runs"),
        "model.width=4",
        "model.embeddingSize=16",
        "data.frames=40",
        "optimizer.learningRate.initial=0.001",
        "optimizer.learningRate.final=0.0001",
        "optimizer.learningRate.warmup=0 steps",
        "run.length=14 steps",
        "run.batch=2",
        "run.threads=1");
  }

  private static String shown(PaperRuns runs, String... recipes) throws InterruptedException {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      runs.show(List.of(recipes));
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /** The recipes of a notebook's call. */
  private static List<String> called(String notebook) throws IOException {
    Matcher call = CALL.matcher(Files.readString(Path.of("notebooks", notebook + ".ipynb")));
    assertTrue(call.find(), notebook + " trains nothing at size paper");
    List<String> names =
        Pattern.compile("\"([\\w-]+)\\\\\"")
            .matcher(call.group(1))
            .results()
            .map(m -> m.group(1))
            .toList();
    assertTrue(Recipe.SHIPPED.containsAll(names), names.toString());
    for (String name : names) assertEquals(32, Recipe.shipped(name).model().width(), name);
    return names;
  }

  @Test
  void everyNotebookThatTrainsDoesSoOnVoxCeleb() throws Exception {
    assumeTrue(python, "python3 is not installed; the corpus scripts are not run");
    Set<String> recipes = new LinkedHashSet<>();
    for (String notebook :
        List.of(
            "00-quick-start",
            "03-reversible-networks",
            "04-eight-bit-optimizers",
            "05-deep-nets-on-a-small-gpu",
            "08-binary-resnet34",
            "09-binary-text-dependent")) {
      recipes.addAll(called(notebook));
    }
    String[] all = recipes.toArray(String[]::new);
    String text = shown(runs(folder.resolve("data/voxceleb")), all);
    int lastEstimate = text.lastIndexOf("14 of 14 steps to go, ");
    int together = text.indexOf(all.length + " runs: ");
    assertTrue(lastEstimate >= 0 && lastEstimate < together, text);
    assertTrue(together < text.indexOf("Training "), "hours are said before the first run");
    for (String recipe : recipes) {
      for (String list : List.of("vox1-o", "vox1-e", "vox1-h")) {
        assertTrue(
            Pattern.compile(recipe + "\\s+" + list + "\\s+\\d").matcher(text).find(),
            recipe + list);
      }
    }
    String again = shown(runs(folder.resolve("data/voxceleb")), all[0]);
    assertTrue(again.contains(all[0] + ": 0 of 14 steps to go"), again);
    assertTrue(again.contains("1 runs: 0.0 hours, without the tests on three lists"), again);
    assertFalse(again.contains("(mean of ten)"), "a finished run is not measured: " + again);
  }

  @Test
  void whatIsMissingIsSaidAndNothingStarts() throws Exception {
    Path nowhere = folder.resolve("nowhere/voxceleb");
    String text = shown(runs(nowhere), "df-resnet56");
    assertEquals(
        List.of(
            nowhere + " is not there: data-scripts/voxceleb.py makes it, and says what to download",
            nowhere.resolveSibling("noise.scp")
                + " is not there: data-scripts/musan.py makes it, and says what to download",
            nowhere.resolveSibling("rirs.scp")
                + " is not there: data-scripts/rirs.py makes it, and says what to download"),
        text.lines().toList());
    assertFalse(Files.exists(folder.resolve("runs/df-resnet56")));
  }
}
