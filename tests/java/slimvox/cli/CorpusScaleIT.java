package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A corpus of many lines over a few recordings is indexed, trained with and resumed in a heap of
 * 900 bytes a line: 1 GiB for VoxCeleb's 1.09 million. {@code -Dslimvox.scale.lines=1090000} is the
 * whole of it.
 */
class CorpusScaleIT extends CommandLineTest {
  private static final int LINES = Integer.getInteger("slimvox.scale.lines", 100_000);
  private static final int SPEAKERS = Math.max(2, LINES / 182); // 5,994 of VoxCeleb2's 1.09 million
  private static final int FILES = 12;
  private static final Pattern CPU = Pattern.compile("(\\d+)m([\\d.]+)s");

  @TempDir Path folder;

  private Path madeUpCorpus() throws IOException {
    corpus(folder.resolve("sound"), 3, FILES / 3);
    Path corpus = Files.createDirectories(folder.resolve("corpus"));
    try (BufferedWriter scp = Files.newBufferedWriter(corpus.resolve("wav.scp"));
        BufferedWriter utt2spk = Files.newBufferedWriter(corpus.resolve("utt2spk"))) {
      for (int i = 0; i < LINES; i++) {
        String id = "id%05d-21Uxsk56VDQ-%07d".formatted(i % SPEAKERS, i);
        int file = i % FILES;
        scp.write("%s ../sound/s%d/u%d.wav\n".formatted(id, file % 3, file / 3));
        utt2spk.write(id + " " + id.substring(0, 7) + "\n");
      }
    }
    return corpus;
  }

  /** Runs in a heap of its own; the seconds of CPU it took. */
  private double run(List<String> args) throws Exception {
    int mib = 64 + (int) (LINES * 900L >> 20);
    List<String> command = new ArrayList<>(List.of("sh", "-c", "\"$@\"; c=$?; times; exit $c", ""));
    command.addAll(slimvoxProcess());
    command.addAll(command.size() - 1, List.of("-Xmx" + mib + "m", "-XX:+UseSerialGC"));
    command.addAll(args);
    Path said = folder.resolve("said");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    int code = process.waitFor();
    String text = Files.readString(said);
    assertEquals(0, code, text);
    List<MatchResult> times =
        CPU.matcher(text.substring(text.lastIndexOf("\n0m"))).results().toList();
    double seconds = 0;
    for (MatchResult time : times) {
      seconds += 60 * Integer.parseInt(time.group(1)) + Double.parseDouble(time.group(2));
    }
    System.out.printf(
        Locale.ROOT, "%,d lines, -Xmx%dm: %.1f s of CPU: %s%n", LINES, mib, seconds, args.get(0));
    return seconds;
  }

  @Test
  void aMillionLinesFitInAHeapOfOneGibibyte() throws Exception {
    Path recipe = recipe(folder.resolve("tiny.yaml"), madeUpCorpus(), "null");
    Path out = folder.resolve("run");
    List<String> train =
        List.of(
            "train",
            recipe.toString(),
            "--out=" + out,
            "--quiet",
            "--set",
            "data.dither=1",
            "data.loaderThreads=2",
            "run.length=4 steps",
            "run.checkpointEvery=2 steps");
    double first = run(train);
    Path last = out.resolve("checkpoint-0000004.safetensors");
    byte[] whole = Files.readAllBytes(last);
    Files.delete(last);
    double resumed = run(List.of("train", "--resume", "--out=" + out, "--quiet"));
    assertEquals(0, Arrays.compare(whole, Files.readAllBytes(last)));
    assertTrue(first <= 60 && resumed <= 60, first + " and " + resumed + " s of CPU");
  }
}
