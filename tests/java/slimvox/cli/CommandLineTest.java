package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** What tests of the command line share: it is run within the test's JVM. */
public abstract class CommandLineTest {
  /** What a command printed and its exit code. */
  public record Run(int code, String out, String err) {
    /** The last line of the standard output, parsed. */
    public JsonNode json() {
      String[] lines = out.stripTrailing().split("\\R");
      try {
        return new ObjectMapper().readTree(lines[lines.length - 1]);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    public Run succeeds() {
      assertEquals(0, code, this::toString);
      assertEquals("", err);
      return this;
    }

    /** Exit code 2, and the message alone in one line on the standard error output. */
    public void failsWith(String... parts) {
      assertEquals(2, code, this::toString);
      List<String> lines = err.lines().toList();
      assertEquals(1, lines.size(), err);
      assertTrue(err.startsWith("slimvox: "), err);
      for (String part : parts) assertTrue(err.contains(part), () -> part + " in: " + err);
    }

    /** Exit code 2, the message, and where to find help; null: of no command in particular. */
    public void isRefusedAsUsage(String command, String... parts) {
      assertEquals(2, code, this::toString);
      List<String> lines = err.lines().toList();
      assertEquals(2, lines.size(), err);
      for (String part : parts) {
        assertTrue(lines.get(0).contains(part), () -> part + " in: " + lines.get(0));
      }
      String of = command == null ? "slimvox" : "slimvox " + command;
      assertEquals("See '" + of + " --help'.", lines.get(1));
    }
  }

  public static Run run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[args.length];
    for (int i = 0; i < args.length; i++) words[i] = args[i].toString();
    int code = SlimVox.execute(new PrintWriter(out), new PrintWriter(err), words);
    return new Run(code, out.toString(), err.toString());
  }

  /** The command that starts SlimVox in a process of its own. */
  public static List<String> slimvoxProcess() {
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
        "slimvox.cli.SlimVox");
  }

  /** Writes a file of tensors again, another value at a place of one of them. */
  static Path altered(Path file, String tensor, int index, float value, Path to) {
    Safetensors from = Safetensors.read(file);
    SafetensorsWriter writer = Safetensors.writer();
    for (String name : from.names()) {
      if (from.dtype(name).equals("I64")) {
        writer.put(name, from.shape(name), from.longs(name));
        continue;
      }
      float[] values = from.floats(name);
      if (name.equals(tensor)) values[index] = value;
      writer.put(name, from.shape(name), values);
    }
    from.metadata().forEach(writer::metadata);
    writer.write(to);
    return to;
  }

  /** A corpus of speaker folders: each speaker has a tone of its own in noise. */
  public static Path corpus(Path folder, int speakers, int utterances) throws IOException {
    SplittableRandom random = new SplittableRandom(3);
    for (int speaker = 0; speaker < speakers; speaker++) {
      for (int i = 0; i < utterances; i++) {
        float[] samples = new float[8000 + 400 * i];
        for (int t = 0; t < samples.length; t++) {
          double tone = Math.sin(2 * Math.PI * (300 + 700 * speaker) * t / 16000);
          samples[t] = (float) (0.3 * tone + 0.05 * random.nextGaussian());
        }
        Path file = folder.resolve("s" + speaker + "/u" + i + ".wav");
        Files.createDirectories(file.getParent());
        WavWriter.writePcm16(file, new Waveform(samples, 16000));
      }
    }
    return folder;
  }

  /** A trial for each pair of speakers: the first utterance against another. */
  public static Path trials(Path file, int speakers) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int a = 0; a < speakers; a++) {
      for (int b = a; b < speakers; b++) {
        text.append("%d s%d-u0 s%d-u3\n".formatted(a == b ? 1 : 0, a, b));
      }
    }
    return Files.writeString(file, text);
  }

  /** A recipe for a few steps of a tiny network on that corpus. */
  public static Path recipe(Path file, Path corpus, String trials) throws IOException {
    return Files.writeString(
        file,
        """
        model: {name: ResNet18, width: 4, bins: 40, embeddingSize: 16}
        data: {trainCorpus: "%s", trials: %s, frames: 40}
        optimizer: {name: adamw, learningRate: {initial: 0.003}}
        run:
          length: 6 steps
          batch: 4
          threads: 1
          validateEvery: 3 steps
          checkpointEvery: 3 steps
        """
            .formatted(corpus, trials));
  }
}
