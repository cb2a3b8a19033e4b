package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.Provenance;
import slimvox.storage.Safetensors;
import slimvox.train.Checkpoint;

/** Networks in the formats of other programs. */
class ExportCommandTest extends CommandLineTest {
  private static final Path MODELS = Path.of("tests/data/models/pt");

  @TempDir Path folder;

  private static Map<String, String> metadata(Path onnx) throws OrtException {
    try (OrtSession session = OrtEnvironment.getEnvironment().createSession(onnx.toString())) {
      return session.getMetadata().getCustomMetadata();
    }
  }

  /** Weights by PyTorch, embeddings by onnxruntime and by PyTorch in float64. */
  @ParameterizedTest
  @ValueSource(strings = {"resnet34", "gemini", "gemini114"})
  void pytorchsFilesGivePytorchsEmbeddingsInOnnxruntime(String name) throws OrtException {
    Path out = folder.resolve(name + ".onnx");
    Run run = run("export", MODELS.resolve(name + ".pt"), out, "--json").succeeds();
    assertEquals(32, run.json().get("bins").asInt());
    Safetensors known = Safetensors.read(MODELS.resolve("answers.safetensors"));
    double[] expected = known.doubles(name);
    double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession session = environment.createSession(out.toString());
        OnnxTensor features =
            OnnxTensor.createTensor(
                environment, FloatBuffer.wrap(known.floats("features")), known.shape("features"));
        OrtSession.Result result = session.run(Map.of("feats", features))) {
      float[][] embeddings = (float[][]) result.get("embs").orElseThrow().getValue();
      for (int i = 0; i < expected.length; i++) {
        int size = embeddings[0].length;
        assertEquals(expected[i], embeddings[i / size][i % size], 1e-5 * largest);
      }
      Map<String, String> metadata = session.getMetadata().getCustomMetadata();
      assertEquals("true", metadata.get("cmn"));
      int fewest = Integer.parseInt(metadata.get("fewest_frames"));
      for (int frames : List.of(fewest - 1, fewest)) {
        float[][][] few = new float[1][frames][32];
        try (OnnxTensor input = OnnxTensor.createTensor(environment, few);
            OrtSession.Result embedded = session.run(Map.of("feats", input))) {
          float[][] embedding = (float[][]) embedded.get("embs").orElseThrow().getValue();
          assertEquals(frames < fewest, Float.isNaN(embedding[0][0]), frames + " frames");
        }
      }
    }
  }

  /** The same network under WeSpeaker's own names, without classifier and DataParallel's prefix. */
  @Test
  void aFileOfPyTorchIsConverted() {
    Path weights = MODELS.resolve("resnet34.pt");
    Path converted = folder.resolve("net.safetensors");
    JsonNode json = run("convert", weights, converted, "--json").succeeds().json();
    assertEquals("ResNet34", json.get("model").asText());
    Safetensors from = Safetensors.read(weights);
    Safetensors to = Safetensors.read(converted);
    assertEquals(from.names().size() - 1, to.names().size());
    for (String name : to.names()) {
      assertEquals(-1, from.segment("module." + name).mismatch(to.segment(name)), name);
    }
    Path again = folder.resolve("again.safetensors");
    run("convert", converted, again).succeeds();
    assertEquals(to.names(), Safetensors.read(again).names());
  }

  /** What a checkpoint says of its run stays, so that the network is known without options. */
  @Test
  void aBinaryCheckpointIsExportedWithItsBinaryValues() throws Exception {
    Path corpus = corpus(folder.resolve("corpus"), 2, 3);
    String[] settings = {
      "--set",
      "model.width=4",
      "model.bins=24",
      "model.embeddingSize=8",
      "model.pooling=gsp",
      "model.binary.scheme=bwn",
      "data.frameShiftMs=20",
      "data.trainCorpus=" + corpus,
      "data.trainSpeakers=[]",
      "data.trials=null",
      "data.frames=20",
      "run.length=1 steps",
      "run.batch=2"
    };
    Path runFolder = folder.resolve("run");
    Object[] args = {"train", "quick-start", "--out", runFolder, "--quiet"};
    Object[] all = Arrays.copyOf(args, args.length + settings.length);
    System.arraycopy(settings, 0, all, args.length, settings.length);
    run(all).succeeds();
    Path checkpoint = Checkpoint.latest(runFolder).orElseThrow();
    Path onnx = folder.resolve("net.onnx");
    Run run = run("export", checkpoint, onnx).succeeds();
    assertTrue(
        run.out().contains("binary convolutions (bwn) are float here, 4 bytes a weight"),
        run.out());
    Map<String, String> metadata = metadata(onnx);
    assertEquals("20", metadata.get("frame_shift_ms"));
    JsonNode shown = run("show", checkpoint, "--json").succeeds().json();
    for (String key : Provenance.KEYS) assertEquals(shown.get(key).asText(), metadata.get(key));
    Path tensors = folder.resolve("net.safetensors");
    run = run("export", checkpoint, tensors).succeeds();
    assertTrue(run.out().contains("have their real weights here"), run.out());
    assertTrue(Files.size(tensors) < Files.size(checkpoint) / 2, "no optimizer, no classifier");
    Path a = folder.resolve("a.safetensors");
    Path b = folder.resolve("b.safetensors");
    run("embed", checkpoint, corpus, a, "--threads=1").succeeds();
    run("embed", tensors, corpus, b, "--threads=1").succeeds();
    all[3] = folder.resolve("next");
    Object[] next = Arrays.copyOf(all, all.length + 2);
    next[all.length] = "--init";
    next[all.length + 1] = tensors;
    run(next).succeeds(); // on the same corpus, whose classifier the file has not
    Safetensors first = Safetensors.read(a);
    Safetensors second = Safetensors.read(b);
    for (String name : first.names()) {
      assertEquals(-1, first.segment(name).mismatch(second.segment(name)), name);
    }
  }

  @Test
  void whatCannotBeExportedIsRefused() throws IOException {
    Path weights = MODELS.resolve("gemini.pt");
    Path out = folder.resolve("net.bin");
    run("export", weights, out)
        .isRefusedAsUsage("export", "net.bin must end with .onnx or .safetensors");
    Path onnx = folder.resolve("net.onnx");
    run("export", MODELS.resolve("whole.pt"), onnx).failsWith("whole.pt", "class torch.nn");
    run("export", weights, onnx, "--model=ResNet34").failsWith(weights.toString());
    Path copy = Files.copy(weights, folder.resolve("copy.safetensors"));
    run("export", copy, copy).isRefusedAsUsage("export", "is the model itself");
    assertFalse(Files.exists(onnx));
  }
}
