package slimvox.export;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;

/** Exported networks in onnxruntime give the embeddings that they give here. */
class OnnxFileTest {
  private static final int BINS = 21;
  private static final int SIZE = 6;

  @TempDir Path folder;

  /** Every registered network, and every form of one of each family. */
  static Stream<String> networks() {
    Stream<String> forms =
        Stream.of(
            "ResNet18 pooling=gsp",
            "ResNet18 pooling=astp",
            "ResNet18 activation=gelu",
            "ResNet18 preActivation=true",
            "ResNet50 preActivation=true",
            "DF-ResNet56 preActivation=true pooling=astp",
            "ResNet18 recompute=checkpoint rebuild=true",
            "ResNet18 reversible=partial slice=4",
            "ResNet18 reversible=partial units=a",
            "ResNet18 reversible=partial units=b order=post",
            "ResNet18 reversible=full",
            "ResNet18 reversible=full units=a pooling=astp",
            "ResNet18 reversible=full units=b pooling=gsp",
            "ResNet18 reversible=full order=post",
            "ResNet18 reversible=full streams=fixed",
            "ResNet18 reversible=full streams=fixed8",
            "ResNet50 reversible=partial",
            "ResNet50 reversible=full units=a",
            "DF-ResNet56 reversible=partial units=a",
            "DF-ResNet56 reversible=full",
            "DF-ResNet56 reversible=full slice=8 rebuild=true",
            "Gemini-DF-ResNet60 reversible=partial",
            "Gemini-DF-ResNet60 reversible=full",
            "ResNet18 binary.scheme=bwn",
            "ResNet18 binary.scheme=paper binary.activation=prelu pooling=gsp",
            "ResNet18 binary.scheme=w1a1",
            "ResNet18 binary.scheme=w1a1 binary.activation=none binary.shifts=false",
            "ResNet18 binary.scheme=w32a1",
            "ResNet50 binary.scheme=bwn binary.layers=[layer3]");
    return Stream.concat(Models.names().stream(), forms);
  }

  /** Draws everything, so that nothing that is left out goes unnoticed. */
  private static void draw(Network network) {
    SplittableRandom random = new SplittableRandom(3);
    network.initialize(random);
    for (Parameter p : network.state().parameters().values()) {
      if (p.value().shape().rank() != 1) continue;
      float[] values = network.backend().ops().floats(p.value());
      for (int i = 0; i < values.length; i++) values[i] += 0.2f * (float) random.nextGaussian();
      network.backend().ops().upload(values, p.value());
    }
    for (Tensor buffer : network.state().buffers().values()) {
      float[] values = new float[Math.toIntExact(buffer.size())];
      for (int i = 0; i < values.length; i++) values[i] = 0.5f + random.nextFloat();
      network.backend().ops().upload(values, buffer);
    }
  }

  @ParameterizedTest
  @MethodSource("networks")
  void onnxruntimeGivesTheSameEmbeddings(String form) throws OrtException {
    String[] words = form.split(" ");
    String[] settings = form.substring(words[0].length()).strip().split(" ");
    ModelSpec spec =
        ModelSpec.of(words[0], "width=8", "bins=" + BINS, "embeddingSize=" + SIZE)
            .with(settings[0].isEmpty() ? new String[0] : settings);
    Path file = folder.resolve("net.onnx");
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      draw(network);
      OnnxFile.write(network, Map.of("cmn", "true"), file);
      try (OrtSession session = environment.createSession(file.toString())) {
        TensorInfo features = (TensorInfo) session.getInputInfo().get("feats").getInfo();
        assertEquals(BINS, features.getShape()[2]);
        assertEquals(-1, features.getShape()[0] + features.getShape()[1] + 1, "both are free");
        assertEquals("true", session.getMetadata().getCustomMetadata().get("cmn"));
        compare(network, session, 1, 61);
        compare(network, session, 3, 40);
      }
    }
  }

  /** Maps without an order of their own have another one in each process. */
  @Test
  void attributesAreInTheOrderOfTheirNames() throws IOException {
    Map<String, Object> attributes = new LinkedHashMap<>();
    attributes.put("strides", new long[] {2, 2});
    attributes.put("group", 4L);
    byte[] first = graph(attributes);
    assertArrayEquals(first, graph(new TreeMap<>(attributes)));
    String text = new String(first, StandardCharsets.ISO_8859_1);
    assertTrue(text.indexOf("group") < text.indexOf("strides"), text);
  }

  private static byte[] graph(Map<String, Object> attributes) throws IOException {
    OnnxGraph graph = new OnnxGraph();
    graph.node("Conv", attributes, "x", "weight");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    graph.model("net", Map.of()).writeTo(bytes);
    return bytes.toByteArray();
  }

  @Test
  void anOwnLayerIsRefusedByItsName() {
    class Halved implements Layer {
      @Override
      public Tensor forward(Tensor x, Mode mode) {
        return x.retain();
      }

      @Override
      public Tensor backward(Tensor dy) {
        return dy;
      }
    }
    Path file = folder.resolve("own.onnx");
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Network.of(ModelSpec.of("ResNet18"), backend, new Halved())) {
      assertRefused(
          "a layer Halved cannot be exported to ONNX; the layers of slimvox.nn can",
          () -> OnnxFile.write(network, Map.of(), file));
    }
    assertFalse(Files.exists(file));
  }

  private static void compare(Network network, OrtSession session, int batch, int frames)
      throws OrtException {
    SplittableRandom random = new SplittableRandom(batch);
    float[] byFrames = new float[batch * frames * BINS];
    float[] byBins = new float[byFrames.length];
    for (int n = 0; n < batch; n++) {
      for (int t = 0; t < frames; t++) {
        for (int b = 0; b < BINS; b++) {
          float value = (float) random.nextGaussian();
          byFrames[(n * frames + t) * BINS + b] = value;
          byBins[(n * BINS + b) * frames + t] = value;
        }
      }
    }
    Backend backend = network.backend();
    float[] own;
    try (Tensor x = backend.allocate(Category.INPUT, "features", batch, BINS, frames, 1)) {
      backend.ops().upload(byBins, x);
      try (Tensor y = network.forward(x, Mode.EVALUATE)) {
        own = backend.ops().floats(y);
      }
    }
    long[] shape = {batch, frames, BINS};
    try (OnnxTensor x =
            OnnxTensor.createTensor(
                OrtEnvironment.getEnvironment(), FloatBuffer.wrap(byFrames), shape);
        OrtSession.Result result = session.run(Map.of("feats", x))) {
      float[][] embeddings = (float[][]) result.get("embs").orElseThrow().getValue();
      assertEquals(batch, embeddings.length);
      double largest = 0;
      double off = 0;
      for (int i = 0; i < own.length; i++) {
        largest = Math.max(largest, Math.abs(own[i]));
        off = Math.max(off, Math.abs(own[i] - embeddings[i / SIZE][i % SIZE]));
      }
      assertTrue(off <= 1e-5 * largest, "off by %.2g of %.2g".formatted(off, largest));
    }
  }
}
