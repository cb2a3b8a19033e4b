package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.Weights;
import slimvox.recipe.Recipe;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** From a checkpoint to a packed file to embeddings. */
class PackCommandTest extends CommandLineTest {
  private static final int BINS = 20;
  @TempDir Path folder;

  /** What a run of a few steps leaves, without the optimizer's state. */
  private Path checkpoint(String scheme) {
    Recipe recipe =
        Recipe.defaults()
            .with(
                "model.name=ResNet18",
                "model.width=12",
                "model.bins=" + BINS,
                "model.embeddingSize=16",
                "model.binary.scheme=" + scheme);
    Path file = folder.resolve("checkpoint-" + scheme + ".safetensors");
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(recipe.model(), backend)) {
      network.initialize(new Random(3));
      SafetensorsWriter writer = Safetensors.writer();
      Weights.save(network.state(), "", writer);
      writer.metadata("recipe", recipe.toYaml());
      writer.metadata("steps", "6");
      writer.write(file);
    }
    return file;
  }

  private Path features(int... frames) {
    Random random = new Random(4);
    SafetensorsWriter writer = Safetensors.writer();
    for (int i = 0; i < frames.length; i++) {
      float[] values = new float[frames[i] * BINS];
      for (int j = 0; j < values.length; j++) values[j] = (float) random.nextGaussian();
      writer.put("utt" + i, new long[] {frames[i], BINS}, values);
    }
    Path file = folder.resolve("features.safetensors");
    writer.write(file);
    return file;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bwn", "w1a1"})
  void aPackedModelEmbedsAsItsCheckpointDoes(String scheme) throws Exception {
    Path checkpoint = checkpoint(scheme);
    Path packed = folder.resolve("net.packed");
    JsonNode json = run("pack", checkpoint, packed, "--json", "--threads=1").json();
    assertEquals(Files.size(packed), json.get("packed_bytes").asLong());
    assertEquals(scheme, json.get("scheme").asText());
    assertEquals(21, json.get("layers").size());
    assertEquals(1, json.get("layers").get(1).get("weight_bits").asInt());
    assertTrue(json.get("difference").asDouble() < 1e-4);
    Path features = features(50, 61);
    Path trained = folder.resolve("trained.safetensors");
    Path bits = folder.resolve("bits.safetensors");
    assertEquals(
        0, run("embed", checkpoint, "--features", features, trained, "--threads=1").code());
    assertEquals(0, run("embed", packed, "--features", features, bits, "--threads=1").code());
    Safetensors expected = Safetensors.read(trained);
    Safetensors actual = Safetensors.read(bits);
    assertEquals(expected.names(), actual.names());
    for (String name : expected.names()) {
      if (!expected.dtype(name).equals("F32")) continue;
      float[] a = expected.floats(name);
      float[] b = actual.floats(name);
      for (int i = 0; i < a.length; i++) assertEquals(a[i], b[i], 1e-4);
    }
  }

  /** A processor without AVX-512 counts bits another way. */
  @Test
  void narrowerVectorsGiveTheSameBits() throws Exception {
    assumeTrue(System.getProperty("os.arch").equals("amd64"), "the option is one of x86-64");
    Path packed = folder.resolve("net.packed");
    run("pack", checkpoint("w1a1"), packed, "--threads=1").succeeds();
    Path features = features(50);
    Path wide = folder.resolve("wide.safetensors");
    Path narrow = folder.resolve("narrow.safetensors");
    run("embed", packed, "--features", features, wide, "--threads=1").succeeds();
    List<String> command = new ArrayList<>(slimvoxProcess());
    command.add(1, "-XX:UseAVX=2");
    command.addAll(List.of("embed", packed.toString(), "--features", features.toString()));
    command.addAll(List.of(narrow.toString(), "--threads=1", "--quiet"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), output);
    Safetensors a = Safetensors.read(wide);
    Safetensors b = Safetensors.read(narrow);
    for (String name : a.names()) {
      if (a.dtype(name).equals("F32")) assertArrayEquals(a.floats(name), b.floats(name));
    }
  }

  @Test
  void aPackedNetworkThatIsAnotherFunctionIsNotWritten() {
    Path bad = folder.resolve("checkpoint-bad.safetensors");
    altered(checkpoint("bwn"), "layer2.1.bn1.weight", 3, Float.MAX_VALUE, bad);
    Path out = folder.resolve("net.packed");
    Run run = run("pack", bad, out, "--threads=1");
    assertEquals(2, run.code(), run.err());
    assertTrue(
        run.err()
            .contains(bad + ": the packed network is not the trained one: embeddings differ by"),
        run.err());
    assertTrue(Files.notExists(out));
  }

  @Test
  void aFloatCheckpointIsRefused() {
    Path checkpoint = checkpoint("none");
    Run run = run("pack", checkpoint, folder.resolve("net.packed"));
    assertEquals(2, run.code());
    assertTrue(
        run.err().contains("a float network has no bits to pack; train with a binary scheme"),
        run.err());
    assertTrue(Files.notExists(folder.resolve("net.packed")));
  }

  @Test
  void aCheckpointIsNotOverwritten() throws Exception {
    Path checkpoint = checkpoint("bwn");
    byte[] before = Files.readAllBytes(checkpoint);
    Path again = folder.resolve("x/../" + checkpoint.getFileName());
    run("pack", checkpoint, again)
        .isRefusedAsUsage("pack", "OUT " + again + " is the checkpoint itself; give another name");
    assertArrayEquals(before, Files.readAllBytes(checkpoint));
  }

  @Test
  void anUtteranceTooShortIsLeftOutAndNamed() {
    Path packed = folder.resolve("net.packed");
    assertEquals(0, run("pack", checkpoint("bwn"), packed, "--head", "int8").code());
    Run run = run("embed", packed, "--features", features(50, 7), folder.resolve("out"));
    assertEquals(3, run.code(), run.err());
    assertTrue(run.err().contains("left out 1 of 2 utterances"), run.err());
    String reason = "utterance utt1 is too short, 7 of the 9 frames that the network needs";
    assertTrue(run.err().contains(reason), run.err());
  }
}
