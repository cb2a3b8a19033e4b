package slimvox.binary;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.Fuzz;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.Tensor;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedFixture;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.MemoryBudget;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.models.ModelSpec.Pooling;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BinaryScheme;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** Packed files: the same model after reading, the sizes at full width, and damage. */
class PackedFileTest {
  /** Width 12: filters of 108 weights, whose last byte has four bits left. */
  private static final ModelSpec SMALL =
      ModelSpec.of("ResNet18", "width=12", "bins=20", "embeddingSize=24", "pooling=gsp");

  @TempDir Path folder;

  private static PackedModel pack(ModelSpec spec, WeightForm head) {
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      network.initialize(new Random(7));
      return Packer.pack(network, "test", head, Map.of("recipe_hash", "abc"));
    }
  }

  private static float[] embed(PackedModel model) {
    Features features = TrainedNetwork.features(new Random(1), 40, model.spec().bins());
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        PackedNetwork network = new PackedNetwork(backend, model)) {
      return network.embed(features);
    }
  }

  @ParameterizedTest
  @CsvSource({"BWN, FLOAT32", "PAPER, INT8", "W1A1, W1A32", "W1A1, FLOAT32"})
  void aFileGivesTheSameEmbeddingsAsTheModel(BinaryScheme scheme, WeightForm head) {
    PackedModel model = pack(SMALL.with("binary.scheme=" + Key.of(scheme)), head);
    Path file = folder.resolve("net.packed");
    model.write(file);
    PackedModel read = PackedModel.read(file);
    assertTrue(PackedModel.isPacked(file));
    assertArrayEquals(embed(model), embed(read));
    assertEquals("ResNet18", read.spec().name());
    assertEquals(12, read.spec().width());
    assertEquals(Key.of(scheme), read.scheme());
    assertEquals(Map.of("recipe_hash", "abc"), read.origin());
  }

  @Test
  void aFileIsTheSameInEveryLocale() throws IOException {
    PackedModel model = pack(SMALL.with("binary.scheme=w1a1"), WeightForm.INT8);
    model.write(folder.resolve("root.packed"));
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("ar-EG")); // whose digits are others
    try {
      model.write(folder.resolve("ar.packed"));
      assertArrayEquals(embed(model), embed(PackedModel.read(folder.resolve("ar.packed"))));
    } finally {
      Locale.setDefault(before);
    }
    assertEquals(-1, Files.mismatch(folder.resolve("root.packed"), folder.resolve("ar.packed")));
  }

  @Test
  void whereAModelComesFromIsWrittenInOneOrder() {
    Map<String, String> origin = Map.of("a", "1", "b", "2", "c", "3", "d", "4", "e", "5");
    PackedModel model = pack(SMALL.with("binary.scheme=bwn"), WeightForm.INT8);
    Path file = folder.resolve("net.packed");
    new PackedModel(
            model.spec(), model.scheme(), model.stem(), model.blocks(), model.head(), origin)
        .write(file);
    assertEquals(
        List.of("origin.a", "origin.b", "origin.c", "origin.d", "origin.e"),
        Safetensors.read(file).metadata().keySet().stream()
            .filter(key -> key.startsWith("origin."))
            .toList());
  }

  /** The figures of the issue, in MB of 10^6 bytes. */
  @ParameterizedTest
  @CsvSource({
    "GSP, FLOAT32, 21.8, 1.3",
    "GSP, INT8, 21.8, 0.9",
    "TSTP, INT8, 26.5, 2.1",
    "TSTP, W1A32, 26.5, 0.95"
  })
  void filesAtFullWidthAreAsSmallAsPromised(
      Pooling pooling, WeightForm head, double before, double most) throws IOException {
    ModelSpec spec =
        ModelSpec.of("ResNet34").with("pooling=" + Key.of(pooling)).with("binary.scheme=bwn");
    PackedModel model = pack(spec, head);
    Path file = folder.resolve("net.packed");
    model.write(file);
    PackSummary summary = PackSummary.of(model, 200);
    assertTrue(Files.size(file) <= most * 1e6, Files.size(file) + " bytes");
    assertTrue(summary.bytesAfter() <= Files.size(file));
    assertEquals(before, summary.bytesBefore() / 1e6, 0.1);
    assertTrue(summary.binaryRatio() >= 30, "ratio " + summary.binaryRatio());
    assertEquals(0, summary.multiplyAdds(WeightForm.W1A1));
    assertTrue(summary.multiplyAdds(WeightForm.W1A32) > 4.4e9);
  }

  /** Layer by layer: after, the tensors of the file; before, those of the network. */
  @ParameterizedTest
  @CsvSource({"BWN, RELU, FLOAT32", "BWN, PRELU, INT8", "W1A1, RPRELU, W1A32", "W1A1, NONE, INT8"})
  void theSummaryCountsTheBytesThatAreThere(
      BinaryScheme scheme, Binarization.Activation activation, WeightForm head) {
    ModelSpec spec =
        SMALL.with("binary.scheme=" + Key.of(scheme), "binary.activation=" + Key.of(activation));
    PackedModel model = pack(spec, head);
    Path path = folder.resolve("net.packed");
    model.write(path);
    Safetensors file = Safetensors.read(path);
    PackSummary summary = PackSummary.of(model, 200);
    long signs = 0;
    long filters = 0;
    for (PackSummary.Layer layer : summary.layers()) {
      long bytes =
          file.names().stream()
              .filter(n -> n.startsWith(layer.name() + "."))
              .mapToLong(n -> file.segment(n).byteSize())
              .sum();
      assertEquals(bytes, layer.bytesAfter(), layer.name());
      if (!layer.form().isBinary() || layer.name().equals(PackedHead.NAME)) continue;
      signs += file.segment(layer.name() + ".weight").byteSize();
      filters += file.shape(layer.name() + ".weight")[0];
    }
    long all = file.names().stream().mapToLong(n -> file.segment(n).byteSize()).sum();
    assertEquals(all, summary.bytesAfter());
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      var state = network.state();
      long before = 4 * state.parameterCount();
      for (Tensor buffer : state.buffers().values()) before += 4 * buffer.size();
      assertEquals(before, summary.bytesBefore());
      long weights = 0;
      for (String name : state.parameters().keySet()) {
        if (!spec.binarization().takes(name.replace(".weight", ""))) continue;
        Tensor weight = state.parameters().get(name).value();
        if (weight.shape().rank() == 4) weights += weight.size();
      }
      assertEquals(4.0 * weights / (signs + 4 * filters), summary.binaryRatio(), 1e-9);
    }
    long products = 0;
    for (WeightForm form : WeightForm.values()) products += summary.multiplyAdds(form);
    assertEquals(Models.multiplyAdds(spec, 200), products);
  }

  @ParameterizedTest
  @CsvSource({"BWN, GSP, FLOAT32", "BWN, TSTP, INT8", "W1A1, GSP, FLOAT32", "W1A1, TSTP, W1A32"})
  void inferenceNeedsAnEighthOfTheWeightsAndTwoActivations(
      BinaryScheme scheme, Pooling pooling, WeightForm head) {
    ModelSpec spec =
        ModelSpec.of("ResNet34")
            .with("pooling=" + Key.of(pooling))
            .with("binary.scheme=" + Key.of(scheme));
    PackedModel model = pack(spec, head);
    long weights = PackSummary.of(model, 200).bytesBefore();
    long activation = 4L * 80 * 200 * 32;
    try (Backend backend = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        PackedNetwork network = new PackedNetwork(backend, model)) {
      network.embed(TrainedNetwork.features(new Random(1), 200, 80));
      long peak = backend.ledger().report().totalPeak();
      assertTrue(
          peak < weights / 8 + 2 * activation,
          peak + " bytes, limit " + (weights / 8 + 2 * activation));
    }
  }

  // ---- damage

  private Path written() {
    Path file = folder.resolve("net.packed");
    pack(SMALL.with("binary.scheme=bwn"), WeightForm.FLOAT32).write(file);
    return file;
  }

  private static String refused(Path file) {
    String message = assertThrows(InputException.class, () -> PackedModel.read(file)).getMessage();
    assertEquals(1, message.lines().count());
    assertTrue(message.startsWith(file + ": "), message);
    return message.substring((file + ": ").length());
  }

  @Test
  void fileCutShortAnywhereIsRefused() throws IOException {
    Path file = written();
    byte[] whole = Files.readAllBytes(file);
    int header = (int) java.nio.ByteBuffer.wrap(whole).order(LITTLE_ENDIAN).getLong();
    Map<Integer, String> why = new java.util.TreeMap<>();
    why.put(0, "not a safetensors file: 0 bytes");
    why.put(7, "not a safetensors file: 7 bytes");
    why.put(
        100,
        "not a safetensors file, or cut short: header of %d bytes in a file of 100"
            .formatted(header));
    why.put((header + 8 + whole.length) / 2, "cut short: tensor ");
    why.put(whole.length - 1, "cut short: tensor ");
    why.forEach(
        (length, message) -> {
          Path cut = folder.resolve("cut.packed");
          try {
            Files.write(cut, Arrays.copyOf(whole, length));
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
          assertTrue(refused(cut).startsWith(message), length + ": " + refused(cut));
        });
  }

  /** What is read is written again, which gives the same bytes. */
  @Test
  void damageIsNoticed() throws IOException {
    Path again = folder.resolve("again.packed");
    Fuzz.Reader reader =
        f -> {
          PackedModel.read(f).write(again);
          return java.nio.ByteBuffer.wrap(Files.readAllBytes(again));
        };
    assertTrue(Fuzz.of(written()).sealed(200, reader) > 140);
  }

  @Test
  void aFileOfSomethingElseIsRefused() throws IOException {
    Path file = folder.resolve("text.packed");
    Files.writeString(file, "this is no packed network, it is a line of text\n");
    assertTrue(
        refused(file).startsWith("not a safetensors file, or cut short: header of"), refused(file));
  }

  @Test
  void anotherFileIsToldFromAPackedOne() {
    Path file = folder.resolve("other.safetensors");
    Safetensors.writer().put("a", new long[] {1}, new float[] {1}).write(file);
    assertEquals(
        "not a packed model (its header has no slimvox.packed); make one with slimvox pack",
        refused(file));
  }

  /** A copy with sound checksums in which one thing is changed. */
  private Path changed(BiConsumer<Map<String, String>, SafetensorsWriter> metadata, String drop) {
    Safetensors from = Safetensors.read(written());
    SafetensorsWriter to = Safetensors.writer();
    Map<String, String> texts = new java.util.LinkedHashMap<>(from.metadata());
    metadata.accept(texts, to);
    texts.forEach(to::metadata);
    for (String name : from.names()) {
      if (name.equals(drop)) continue;
      if (from.dtype(name).equals("F32")) {
        to.put(name, from.shape(name), from.floats(name));
      } else {
        to.put(name, from.shape(name), from.bytes(name));
      }
    }
    Path file = folder.resolve("changed.packed");
    to.write(file);
    return file;
  }

  @Test
  void aNewerFormatIsNamed() {
    Path file = changed((texts, _) -> texts.put("slimvox.packed", "2"), null);
    assertEquals("a packed model of format 2, this SlimVox reads 1", refused(file));
  }

  @Test
  void aWrongShapeIsNamed() {
    Path file =
        changed(
            (_, to) -> to.put("layer1.0.conv1.weight", new long[] {12, 13}, new byte[12 * 13]),
            "layer1.0.conv1.weight");
    assertEquals(
        "damaged packed model: tensor layer1.0.conv1.weight is U8 [12, 13], the layer needs U8"
            + " [12, 14]; make it again with slimvox pack",
        refused(file));
  }

  @Test
  void paddingBitsThatAreNotZeroAreRefused() {
    byte[] signs = new byte[12 * 14];
    signs[5 * 14 + 13] = 0x10; // bit 108 of filter 5, which has 108 weights
    Path file =
        changed(
            (_, to) -> to.put("layer1.0.conv1.weight", new long[] {12, 14}, signs),
            "layer1.0.conv1.weight");
    assertEquals(
        "damaged packed model: tensor layer1.0.conv1.weight: padding bits after the 108 weights of"
            + " a filter are not 0; make it again with slimvox pack",
        refused(file));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "pooling|mean|pooling: 'mean' is unknown",
        "bins|0|bins: '0' is no size",
        "head|w1a1|head w1a1 is not possible",
        "sign_blocks|layer9.0|no block layer9.0 of signs",
        "sign_blocks|layer2.0|layer2.0: a block is one of signs if one of its convolutions takes"
            + " signs, else not",
        "layers|conv1 float32 1 12 3 1|layer line 'conv1 float32 1 12 3 1' is not NAME FORM IN OUT"
            + " KERNEL STRIDE ACTIVATION"
      })
  void metadataThatMeanNothingAreNamed(String key, String value, String why) {
    Path file = changed((texts, _) -> texts.put(key, value), null);
    assertEquals(
        "damaged packed model: " + why + "; make it again with slimvox pack", refused(file));
  }

  /** Read without them, such layers would be run beyond the ends of the planes. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "conv1 float32 1 12 3 1|conv1 float32 1 12 3 2|layer conv1 has stride 2, not 1",
        "layer1.0.conv1 w1a32 12 12 3 1|layer1.0.conv1 w1a32 12 12 30000 1"
            + "|layer1.0.conv1: kernel 30000, 1 or 3 are possible",
        "layer2.0.conv1 w1a32 12 24 3 2|layer2.0.conv1 w1a32 12 24 3 1000"
            + "|layer2.0.conv1: stride 1000, 1 or 2 are possible",
        "layer2.0.shortcut.0 w1a32 12 24 1 2|layer2.0.shortcut.0 w1a32 12 24 1 1"
            + "|layer2.0: convolutions that do not fit together",
        "layer3.1.conv2 w1a32 48 48 3 1|layer3.1.conv2 w1a32 48 48 3 2"
            + "|layer3.1: convolutions that do not fit together"
      })
  void layersThatDoNotFitTogetherAreNamed(String line, String other, String why) {
    Path file =
        changed(
            (texts, _) -> {
              String layers = texts.get("layers");
              assertTrue(layers.contains(line), layers);
              texts.put("layers", layers.replace(line, other));
            },
            null);
    assertEquals(
        "damaged packed model: " + why + "; make it again with slimvox pack", refused(file));
  }

  @ParameterizedTest
  @CsvSource({"W1A32, 24, 24, 2", "W1A32, 12, 36, 2", "W1A32, 12, 24, 1", "W1A1, 12, 24, 2"})
  void shortcutsOfAnotherShapeOrOfSignsAreRefused(WeightForm form, int in, int out, int stride) {
    var none = ChannelActivation.Kind.NONE;
    var first = PackedFixture.convolution(WeightForm.W1A32, 12, 24, 3, 2, none, 1);
    var second = PackedFixture.convolution(WeightForm.W1A32, 24, 24, 3, 1, none, 2);
    var good = PackedFixture.convolution(WeightForm.W1A32, 12, 24, 1, 2, none, 3);
    var bad = PackedFixture.convolution(form, in, out, 1, stride, none, 4);
    var wide = PackedFixture.convolution(WeightForm.W1A32, 24, 36, 3, 1, none, 5);
    assertEquals(good, new PackedBlock("b", false, first, second, good).shortcut());
    for (PackedConvolution[] pair : new PackedConvolution[][] {{second, bad}, {wide, good}}) {
      assertEquals(
          "b: convolutions that do not fit together",
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new PackedBlock("b", false, first, pair[0], pair[1]))
              .getMessage());
    }
  }

  @Test
  void anEmbeddingLayerWithoutValuesIsNamed() {
    Path file =
        changed((_, to) -> to.put("seg_1.bias", new long[] {0}, new float[0]), "seg_1.bias");
    assertEquals(
        "damaged packed model: seg_1.bias: '0' is no size; make it again with slimvox pack",
        refused(file));
    file = changed((_, to) -> to.put("seg_1.bias", new long[] {8, 3}, new float[24]), "seg_1.bias");
    assertEquals(
        "damaged packed model: tensor seg_1.bias is not a row of values; make it again with slimvox"
            + " pack",
        refused(file));
  }

  @Test
  void aMissingTensorIsNamed() {
    Path file = changed((_, _) -> {}, "layer2.0.conv2.scale");
    assertEquals(
        "damaged packed model: no tensor layer2.0.conv2.scale; make it again with slimvox pack",
        refused(file));
  }

  // ---- what cannot be packed

  private static String unpackable(ModelSpec spec) {
    return assertThrows(InputException.class, () -> pack(spec, WeightForm.FLOAT32)).getMessage();
  }

  @Test
  void whatIsNotBinaryFailsLoudly() {
    assertEquals(
        "test: a float network has no bits to pack; train with a binary scheme"
            + " (model.binary.scheme: bwn, paper or w1a1)",
        unpackable(SMALL));
    assertEquals(
        "test: layer layer1.0.conv1 should be binary and is not: scheme w32a1 leaves weights real;"
            + " go on with w1a1",
        unpackable(SMALL.with("binary.scheme=w32a1")));
    ModelSpec spec = SMALL.with("binary.scheme=bwn");
    assertEquals(
        "test: attentive pooling has no packed form; train with pooling tstp or gsp",
        unpackable(spec.with("pooling=astp")));
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(spec, backend)) {
      network.initialize(new Random(7));
      var weight = network.state().parameters().get("layer3.1.conv2.weight").value();
      float[] values = backend.ops().floats(weight);
      int filter = values.length / weight.shape().get(0);
      Arrays.fill(values, 5 * filter, 6 * filter, 0);
      backend.ops().upload(values, weight);
      InputException e =
          assertThrows(
              InputException.class,
              () -> Packer.pack(network, "test", WeightForm.FLOAT32, Map.of()));
      assertEquals(
          "test: layer layer3.1.conv2 should be binary and is not: the scale of filter 5 is 0.0",
          e.getMessage());
    }
  }
}
