package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.embed.EmbeddingFile;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.Weights;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** Embeddings from files with WeSpeaker's parameter names. */
class EmbedCommandTest extends CommandLineTest {
  private static final int BINS = 16;
  @TempDir Path folder;

  /** The state dict alone, as a user has it: the known answers keep it under {@code param.}. */
  private Path weights(Safetensors known) {
    SafetensorsWriter writer = Safetensors.writer();
    for (String name : known.names()) {
      if (!name.startsWith("param.")) continue;
      String bare = name.substring("param.".length());
      if (known.dtype(name).equals("I64")) {
        writer.put(bare, known.shape(name), known.longs(name));
      } else {
        writer.put(bare, known.shape(name), known.floats(name));
      }
    }
    Path file = folder.resolve("weights.safetensors");
    writer.write(file);
    return file;
  }

  private Path features(Safetensors known) {
    return features(known, "input");
  }

  private Path features(Safetensors known, String name) {
    long[] shape = known.shape(name);
    float[] all = known.floats(name);
    int size = (int) (shape[1] * shape[2]);
    SafetensorsWriter writer = Safetensors.writer();
    for (int i = 0; i < shape[0]; i++) {
      float[] one = Arrays.copyOfRange(all, i * size, (i + 1) * size);
      writer.put("utt" + i, new long[] {shape[1], shape[2]}, one);
    }
    Path file = folder.resolve("features.safetensors");
    writer.write(file);
    return file;
  }

  @ParameterizedTest
  @CsvSource({
    "resnet_basic_1111, 'ResNet[1, 1, 1, 1]', tstp",
    "resnet_basic_2111, 'ResNet[2, 1, 1, 1]', tstp",
    "resnet_basic_astp, 'ResNet[1, 1, 1, 1]', astp",
    "resnet_bottleneck_1111, 'ResNet[1, 1, 1, 1]', tstp"
  })
  void wespeakersOutputsAreReproduced(String name, String model, String pooling) {
    Safetensors known = Safetensors.read(Path.of("tests/data/models", name + ".safetensors"));
    Path out = folder.resolve("embeddings.safetensors");
    JsonNode json =
        run(
                "embed",
                weights(known),
                "--features",
                features(known),
                out,
                "--no-cmn",
                "--threads=1",
                "--json")
            .succeeds()
            .json();
    assertEquals(model, json.get("model").asText());
    assertEquals(8, json.get("width").asInt());
    assertEquals(BINS, json.get("bins").asInt());
    assertEquals(pooling, json.get("pooling").asText());
    assertClose(known.doubles("f64.out.eval"), Safetensors.read(out), 1e-4);
  }

  private static void assertClose(double[] expected, Safetensors found, double relative) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
    int size = expected.length / found.names().size();
    for (int u = 0; u < found.names().size(); u++) {
      float[] embedding = found.floats("utt" + u);
      for (int i = 0; i < size; i++) {
        assertEquals(expected[u * size + i], embedding[i], relative * largest, "utt" + u + " " + i);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "resnet34, ResNet34",
    "gemini, 'Gemini-DF-ResNet[1, 1, 2, 1]'",
    "gemini114, Gemini-DF-ResNet114"
  })
  void pytorchsFilesGivePytorchsEmbeddings(String name, String model) {
    Path folder = Path.of("tests/data/models/pt");
    Path weights = folder.resolve(name + ".pt");
    Safetensors known = Safetensors.read(folder.resolve("answers.safetensors"));
    Path features = features(known, "features");
    Path out = this.folder.resolve("embeddings.safetensors");
    JsonNode json =
        run("embed", weights, "--features", features, out, "--no-cmn", "--threads=1", "--json")
            .succeeds()
            .json();
    assertEquals(model, json.get("model").asText());
    assertEquals(2, json.get("width").asInt());
    assertEquals(32, json.get("bins").asInt());
    assertClose(known.doubles(name), Safetensors.read(out), 1e-5);
    Path whole = folder.resolve("whole.pt");
    run("embed", whole, "--features", features, out).failsWith(whole.toString(), "class torch.nn");
  }

  @Test
  void partsJoinToTheBytesOfOneProcess() throws IOException {
    Safetensors known =
        Safetensors.read(Path.of("tests/data/models/resnet_basic_1111.safetensors"));
    Path weights = weights(known);
    SafetensorsWriter writer = Safetensors.writer();
    Random random = new Random(1);
    for (int i = 0; i < 2100; i++) {
      int frames = 16 + random.nextInt(5);
      float[] values = new float[frames * BINS];
      for (int k = 0; k < values.length; k++) values[k] = (float) random.nextGaussian();
      writer.put("utt" + i, new long[] {frames, BINS}, values);
    }
    Path features = folder.resolve("many.safetensors");
    writer.write(features);
    Path whole = folder.resolve("whole.safetensors");
    List<Object> embed = List.of("embed", weights, "--features", features, "--threads=1", whole);
    run(embed.toArray()).succeeds();
    List<Path> parts = new ArrayList<>();
    for (int i = 2; i >= 1; i--) {
      Path part = folder.resolve("part" + i);
      List<Object> some = new ArrayList<>(embed);
      some.set(5, part);
      some.add("--shard=" + i + "/2");
      run(some.toArray()).succeeds();
      parts.add(part);
    }
    assertEquals(1000, EmbeddingFile.read(parts.getLast()).size());
    Path joined = folder.resolve("joined.safetensors");
    run("join", joined, parts.get(0), parts.get(1)).succeeds();
    assertEquals(-1, Files.mismatch(whole, joined));

    Path other = folder.resolve("other");
    run("join", other, parts.get(0)).failsWith(other + ": part 1/2 is not among the files");
    run("join", other, parts.get(0), parts.get(0)).failsWith("is part 2/2, as");
    run("join", other, parts.get(0), whole).failsWith(whole + ": is no part");
    Path odd = folder.resolve("odd");
    Safetensors.writer().metadata("shard", "3/2").write(odd);
    run("join", other, odd).failsWith(odd + ": is part 3/2, which there is not");
    List<Object> narrow = new ArrayList<>(embed);
    narrow.set(5, odd);
    narrow.addAll(List.of("--shard=1/2", "--precision=bfloat16"));
    run(narrow.toArray()).succeeds();
    run("join", other, odd, parts.getFirst())
        .failsWith(parts.getFirst() + ": is a part of something else than");
    Path none = folder.resolve("none.safetensors");
    SafetensorsWriter shorter = Safetensors.writer();
    for (int i = 0; i < 1001; i++)
      shorter.put("utt" + i, new long[] {8, BINS}, new float[8 * BINS]);
    shorter.write(none);
    Run run = run("embed", weights, "--features", none, "--threads=1", odd, "--shard=2/2");
    assertEquals(3, run.code(), run::toString);
    assertEquals(List.of(), Safetensors.read(odd).names());
    Path first = folder.resolve("first");
    run = run("embed", weights, "--features", none, "--threads=1", first, "--shard=1/2");
    assertEquals(3, run.code(), run::toString);
    run("join", other, odd, first).failsWith(other + ": all parts are empty");
    List<Object> many = new ArrayList<>(embed);
    many.add("--shard=1/4");
    run(many.toArray())
        .failsWith("a part has 1000 or more of the 2100 utterances; give --shard 3/3");
    many.set(6, "--shard=0/4");
    run(many.toArray()).isRefusedAsUsage("embed", "--shard 0/4 is not possible; give 1/N");
  }

  @Test
  void anUtteranceOfWhichASingleFrameIsLeftIsNamed() {
    Safetensors known =
        Safetensors.read(Path.of("tests/data/models/resnet_basic_1111.safetensors"));
    SafetensorsWriter writer = Safetensors.writer();
    writer.put("long", new long[] {9, BINS}, new float[9 * BINS]);
    writer.put("short", new long[] {8, BINS}, new float[8 * BINS]);
    Path file = folder.resolve("features.safetensors");
    writer.write(file);
    Path out = folder.resolve("out.safetensors");
    Run run = run("embed", weights(known), "--features", file, out, "--json");
    assertEquals(3, run.code());
    assertTrue(run.err().contains("utterance short is too short, 8 of the 9 frames"), run.err());
    assertEquals(1, run.json().get("left_out").asInt());
    assertEquals(List.of("long"), Safetensors.read(out).names());
  }

  @Test
  void aRegisteredModelIsRecognizedByItsTensors() throws IOException {
    Path weights = folder.resolve("resnet18.safetensors");
    ModelSpec spec =
        ModelSpec.of("ResNet18", "width=4", "bins=40", "embeddingSize=12", "pooling=astp");
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      network.initialize(new SplittableRandom(1));
      SafetensorsWriter writer = Safetensors.writer();
      Weights.save(network.state(), "", writer);
      writer.write(weights);
    }
    Path corpus = corpus(folder.resolve("corpus"), 2, 2);
    Path out = folder.resolve("e.safetensors");
    JsonNode json = run("embed", weights, corpus, out, "--threads=1", "--json").succeeds().json();
    assertEquals("ResNet18", json.get("model").asText());
    assertEquals(12, json.get("dimension").asInt());
    assertEquals(40, json.get("bins").asInt());
    assertEquals("astp", json.get("pooling").asText());
    assertEquals(4, json.get("embeddings").asInt());
    run("embed", weights, corpus, out, "--threads=1", "--model=ResNet18").succeeds();

    run("embed", weights, corpus, out, "--threads=1", "--model=ResNet34")
        .failsWith(weights.toString(), "another model");
    run("embed", weights, corpus, out, "--threads=1", "--bins=80")
        .failsWith("33 to 40 bins", "have 80");
    run("embed", weights, corpus, out, "--threads=1", "--width=8").failsWith(weights.toString());
    run("embed", weights, corpus, out, "--model=ResNet17").failsWith("--model ResNet17");
  }

  @Test
  void theMeanIsSubtractedUnlessToldOtherwise() {
    Safetensors known =
        Safetensors.read(Path.of("tests/data/models/resnet_basic_1111.safetensors"));
    Path weights = weights(known);
    Path features = features(known);
    float[] values = Safetensors.read(features).floats("utt0");
    for (int i = 0; i < values.length; i++) values[i] += 3 * (i % BINS);
    long[] shape = {values.length / BINS, BINS};
    Path shifted = folder.resolve("shifted.safetensors");
    Safetensors.writer().put("utt0", shape, values).write(shifted);
    float[] a = embedding(weights, features);
    float[] b = embedding(weights, shifted);
    for (int i = 0; i < a.length; i++) assertEquals(a[i], b[i], 1e-3, "a constant is taken away");
    float[] c = embedding(weights, shifted, "--no-cmn");
    double difference = 0;
    for (int i = 0; i < a.length; i++) difference = Math.max(difference, Math.abs(a[i] - c[i]));
    assertTrue(difference > 0.01, "largest difference " + difference);
  }

  private float[] embedding(Path weights, Path features, String... options) {
    Path out = folder.resolve("one.safetensors");
    Object[] args = {"embed", weights, "--features", features, out, "--threads=1"};
    Object[] all = Arrays.copyOf(args, args.length + options.length);
    System.arraycopy(options, 0, all, args.length, options.length);
    run(all).succeeds();
    return Safetensors.read(out).floats("utt0");
  }

  @Test
  void featuresThatAreNoneAreRefused() throws IOException {
    Safetensors known =
        Safetensors.read(Path.of("tests/data/models/resnet_basic_1111.safetensors"));
    Path weights = weights(known);
    Path file = folder.resolve("f.safetensors");
    Path out = Files.writeString(folder.resolve("e.safetensors"), "earlier");
    Safetensors.writer().put("a", new long[] {0, BINS}, new float[0]).write(file);
    run("embed", weights, "--features", file, out).failsWith("utterance a has no frame");
    Safetensors.writer().put("a", new long[] {6}, new float[6]).write(file);
    run("embed", weights, "--features", file, out).failsWith("features are frames x bins");
    Safetensors.writer().put("a", new long[] {6, 24}, new float[144]).write(file);
    run("embed", weights, "--features", file, out).failsWith("9 to 16 bins", "have 24");
    Safetensors.writer()
        .put("a", new long[] {1, 16}, new float[16])
        .put("b", new long[] {2, 8}, new float[16])
        .write(file);
    run("embed", weights, "--features", file, out).failsWith("utterance b has 8 bins");
    assertEquals("earlier", Files.readString(out));
    run("embed", weights, out).isRefusedAsUsage("embed", "CORPUS and OUT are needed");
    run("embed", weights, "--features", file, folder, out)
        .isRefusedAsUsage("embed", "give OUT alone");
  }
}
