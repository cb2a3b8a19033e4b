package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static slimvox.backend.DataType.FLOAT32;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.audio.Features;
import slimvox.backend.AdamStep;
import slimvox.backend.AngularMargin;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.packed.WeightForm;
import slimvox.binary.PackedModel;
import slimvox.binary.PackedNetwork;
import slimvox.binary.Packer;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.optim.DynamicTree;

/**
 * Every kernel at awkward sizes with a thread of the host for each thread of a block, under
 * sanitizers: no thread reads or writes beside a buffer, computes what is undefined, or meets
 * another one's memory without a barrier between them; and all give the bits that {@link
 * HostDevice} gives.
 */
class SanitizedKernelsIT extends ParityFixture {
  private static final String MEMORY = "address,undefined";
  private static final String RACES = "thread";
  private static final int LAUNCHES = 2; // of each kernel

  @TempDir private static Path folder;
  private static Path all;

  /** Nothing is compared with the processor here. */
  @Override
  public void open() {}

  @BeforeAll
  static void record() throws Exception {
    RecordedLaunches launches = new RecordedLaunches(LAUNCHES);
    SanitizedKernelsIT calls = new SanitizedKernelsIT();
    for (boolean tf32 : new boolean[] {false, true}) {
      try (Backend backend = new Backend(launches.device(tf32))) {
        Side s = calls.new Side(backend);
        calls.convolutions(s);
        if (tf32) continue;
        for (int[] d : new int[][] {{600, 36}, {7, 3}, {1, 1}}) calls.rows(s, d[0], d[1]);
        for (int size : new int[] {1030, 5, 1}) calls.vectors(s, size);
        calls.pictures(s);
        for (String scheme : List.of("bwn", "w1a1")) calls.packed(backend, scheme);
      }
    }
    var kernels = new TreeSet<String>();
    KernelSource.all().forEach(source -> kernels.addAll(source.kernels()));
    assertEquals(kernels, new TreeSet<>(launches.counts().keySet()));
    all = Files.write(folder.resolve("launches"), launches.bytes());
  }

  private void convolutions(Side s) {
    int[][] dense = { // height, width, in, out, kernel, stride: tiles of 32, 64 and 128
      {3, 5, 1, 5, 3, 1},
      {4, 5, 1, 8, 3, 1},
      {5, 4, 4, 32, 3, 2},
      {3, 3, 36, 40, 1, 2},
      {3, 2, 68, 132, 1, 2}
    };
    for (int[] g : dense) {
      convolution(
          s, new Convolution(2, g[0], g[1], g[2], g[3], g[4], g[4], g[5], g[5], 0, 0, 1, FLOAT32));
    }
    for (int[] g : new int[][] {{5, 7, 36, 1}, {5, 4, 4, 2}, {3, 4, 3, 2}}) {
      int stride = g[3]; // of height; strips need 1 along the width
      int wide = g[2] % 4 == 0 ? 1 : 2;
      convolution(
          s, new Convolution(2, g[0], g[1], g[2], g[2], 3, 3, stride, wide, 1, 1, g[2], FLOAT32));
    }
    for (int n : new int[] {5, 40, 130}) {
      s.ops.matrices.matmul(true, false, s.normal(20, 3), s.normal(20, n), s.empty(3, n), false);
      s.ops.matrices.matmul(false, true, s.normal(3, 20), s.normal(n, 20), s.normal(3, n), true);
    }
    s.release();
  }

  private static void convolution(Side s, Convolution g) {
    Tensor x = s.normal(g.inShape().toArray());
    Tensor weight = s.normal(g.weightShape().toArray());
    Tensor y = s.empty(g.outShape().toArray());
    s.ops.convolutions.forward(g, x, weight, y);
    s.ops.convolutions.forwardAdd(g, x, weight, y);
    s.ops.convolutions.backwardWeight(g, x, y, s.copy(weight), true);
    s.ops.convolutions.backwardData(g, y, weight, x);
    if (!s.ops.convolutions.normalizes(g)) return;
    int n = g.inChannels();
    Channels c = new Channels(s.normal(n), s.normal(n), s.normal(n), s.normal(n));
    s.ops.convolutions.forward(g, x, c, weight, y);
    s.ops.convolutions.backwardWeight(g, x, c, y, weight, true);
  }

  /** Rows of channels. */
  private void rows(Side s, int rows, int channels) {
    int[] d = {rows, channels};
    Tensor x = s.around(3, 2, d);
    Tensor y = s.empty(d);
    Tensor dy = s.normal(d);
    Tensor mean = s.empty(channels);
    Tensor invStd = s.empty(channels);
    Tensor gamma = s.between(0.5, 2, channels);
    Tensor beta = s.normal(channels);
    Tensor variance = s.copy(gamma);
    var norm = s.ops.normalization;
    Running running = new Running(s.copy(beta), variance, 1e-5f, 0.1f);
    norm.batchStatistics(x, 1e-5f, mean, invStd);
    norm.updateRunningStatistics(mean, invStd, rows, running);
    norm.invStdOf(variance, 1e-5f, s.empty(channels));
    Tensor[] sums = {s.normal(channels), s.normal(channels)};
    Channels c = new Channels(mean, invStd, gamma, beta, running);
    norm.batchNormalize(x, c, null, true, y);
    norm.batchNormalizeBackward(x, null, dy, c, sums[0], sums[1], true, null, s.empty(d));
    c = new Channels(mean, invStd, gamma, null);
    norm.batchNormalizeBackward(x, y, dy, c, sums[0], sums[1], false, dy, s.empty(d));
    s.ops.matrices.addToRows(beta, y);
    s.ops.matrices.columnSums(y, sums[0], true);
    s.ops.binary.prelu(x, beta, gamma, y);
    s.ops.binary.preluBackward(x, beta, gamma, dy, dy, sums[1], true);
    s.ops.binary.scaleRows(gamma, x);
    Tensor lengths = s.empty(rows);
    s.ops.margin.normalizeRows(x, y, lengths);
    s.ops.margin.normalizeRowsBackward(y, lengths, dy, dy);
    s.ops.margin.rowwiseDot(x, y, lengths);
    int classes = 300 / rows + 2;
    int few = Math.min(rows, 3);
    Tensor cosine = s.between(-1, 1, few, classes);
    Tensor labels = s.ints(new int[few]);
    AngularMargin margin = new AngularMargin(0.2f, 32, false);
    Tensor logits = s.empty(few, classes);
    s.ops.margin.marginLogits(cosine, labels, margin, logits);
    s.ops.margin.argmaxRows(logits, s.ints(new int[few]));
    s.ops.margin.softmaxCrossEntropy(logits, labels, s.empty(few), logits);
    s.ops.margin.marginLogitsBackward(cosine, labels, margin, logits, logits);
    s.ops.rearrangement.writeChannels(x, 1, s.empty(rows, channels + 2));
    s.release();
  }

  private void vectors(Side s, int size) {
    var elementwise = s.ops.elementwise;
    Tensor x = s.normal(size);
    Tensor y = s.normal(size);
    elementwise.axpy(2, x, y);
    elementwise.relu(x, y);
    elementwise.reluBackward(x, y, y);
    elementwise.tanh(x, y);
    elementwise.tanhBackward(y, x, x);
    elementwise.gelu(x, y);
    elementwise.geluBackward(x, y, y);
    elementwise.addRounded(1, x, 1f / 1024, y);
    float[] bad = new float[size];
    bad[size - 1] = Float.NaN;
    bad[size / 2] = Float.NaN;
    elementwise.firstNotFinite(List.of(x, s.tensor(bad, size)));
    Tensor state = s.tensor(new float[size], size);
    Tensor square = s.tensor(new float[size], size);
    SgdStep sgd = new SgdStep(0.1f, 0.9f, 0, 1e-4f, true, false);
    AdamStep adam = new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.01, true, 2);
    s.ops.optimizers.sgd(sgd, x, y, state);
    s.ops.optimizers.adam(adam, x, y, state, square);
    int blocks = Quantized.blocks(size, 256);
    Quantized[] codes = new Quantized[2];
    for (int i = 0; i < 2; i++) {
      var book = i == 0 ? DynamicTree.signed() : DynamicTree.unsigned();
      codes[i] =
          new Quantized(s.bytes(new byte[size]), s.tensor(new float[blocks], blocks), book, 256);
      s.ops.optimizers.quantize(square, codes[i]);
    }
    s.ops.optimizers.sgdQuantized(sgd, x, y, codes[0]);
    s.ops.optimizers.adamQuantized(adam, x, y, codes[0], codes[1]);
    Tensor weight = s.normal(3, size, 1, 1);
    Tensor alpha = s.empty(3);
    s.ops.binary.binarizeFilters(weight, true, alpha, s.empty(3, size, 1, 1));
    for (BinaryGradient gradient : BinaryGradient.values()) {
      s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, weight, weight, false);
    }
    s.release();
  }

  private void pictures(Side s) {
    for (int c : new int[] {1, 33}) {
      int[] d = {2, 4, 6, c};
      int[] padded = {2, 6, 8, c};
      Tensor x = s.normal(d);
      Tensor y = s.empty(d);
      s.ops.binary.signActivation(x, s.normal(c), s.empty(padded));
      s.ops.binary.signActivationBackward(x, s.normal(c), s.normal(padded), y);
      Tensor deep = s.empty(2, 2, 3, 4 * c);
      s.ops.rearrangement.spaceToDepth(x, deep);
      s.ops.rearrangement.depthToSpace(deep, y);
      Tensor frames = s.empty(2, 6, 4 * c);
      s.ops.rearrangement.framesFirst(x, frames);
      s.ops.rearrangement.framesFirstBackward(frames, y, true);
      Tensor pooled = s.empty(2, 8 * c);
      s.ops.pooling.statisticsPooling(x, 1e-7f, pooled);
      s.ops.pooling.statisticsPoolingBackward(x, pooled, s.copy(pooled), y);
      Tensor alpha = s.empty(2, 6, 4 * c);
      Tensor dx = s.empty(2, 6, 4 * c);
      s.ops.pooling.softmaxOverFrames(frames, alpha);
      s.ops.pooling.weightedStatistics(frames, alpha, 1e-7f, pooled);
      s.ops.pooling.weightedStatisticsBackward(
          frames, alpha, pooled, 1e-7f, s.copy(pooled), dx, s.empty(2, 6, 4 * c));
      s.ops.pooling.softmaxOverFramesBackward(alpha, dx, dx);
      s.release();
    }
  }

  private void packed(Backend backend, String scheme) {
    ModelSpec spec =
        ModelSpec.of("ResNet18", "width=5", "bins=9", "embeddingSize=7", "binary.scheme=" + scheme);
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Network network = Models.build(spec, cpu)) {
      network.initialize(new Random(1));
      PackedModel model = Packer.pack(network, scheme, WeightForm.INT8, Map.of());
      try (PackedNetwork packed = new PackedNetwork(backend, model)) {
        packed.embed(new Features(normal(9 * 11), 11, 9));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {MEMORY, RACES})
  void noKernelGoesWrong(String sanitizers) throws Exception {
    assertEquals("", run(sanitizers, all));
  }

  @ParameterizedTest
  @CsvSource({
    "barrier_missing, " + RACES + ", data race",
    "too_far, '" + MEMORY + "', heap-buffer-overflow"
  })
  void faultsAreFound(String kernel, String sanitizers, String fault) throws Exception {
    RecordedLaunches launches = new RecordedLaunches(1);
    HostDevice host = launches.memory();
    List<Object> pointers = new ArrayList<>();
    for (int i = 0; i < (kernel.equals("barrier_missing") ? 2 : 1); i++) {
      pointers.add(host.allocate(256));
    }
    launches.launch(kernel, Grid.of(1, 64), pointers.toArray());
    Path file = Files.write(folder.resolve(kernel), launches.bytes());
    String found = run(sanitizers, file);
    assertTrue(found.contains(fault), found);
  }

  /**
   * Without one of its barriers a kernel has a race or gives other bytes: all of lib/cuda in turn,
   * by file and number there. One is not among them, the first of isLastBlock: it orders blocks,
   * which the host runs one after the other.
   */
  @ParameterizedTest
  @CsvSource({
    "common.cuh, 0, column_sums",
    "common.cuh, 1, column_sums",
    "common.cuh, 3, column_sums",
    "common.cuh, 4, normalize_rows",
    "common.cuh, 5, normalize_rows",
    "common.cuh, 6, adam_quantized",
    "packed.cu, 0, packed_signs",
    "quantized.cu, 0, sgd_quantized",
    "tile.cuh, 0, convolve_32",
    "tile.cuh, 1, convolve_32"
  })
  void everyBarrierIsNeeded(String file, int number, String kernel) throws Exception {
    String line = barriers().get(file).get(number).toString();
    assertNotEquals("", run(RACES, all, kernel, file, line));
  }

  @Test
  void allBarriersAreTried() {
    Map<String, Integer> counts = new TreeMap<>();
    barriers().forEach((file, lines) -> counts.put(file, lines.size()));
    assertEquals(Map.of("common.cuh", 7, "packed.cu", 1, "quantized.cu", 1, "tile.cuh", 2), counts);
  }

  /** Lines of lib/cuda with a barrier, by file. */
  private static Map<String, List<Integer>> barriers() {
    Map<String, String> texts = new TreeMap<>(KernelSource.headers());
    for (KernelSource s : KernelSource.all()) {
      texts.put(s.path().substring(s.path().lastIndexOf('/') + 1), s.text());
    }
    Map<String, List<Integer>> barriers = new TreeMap<>();
    texts.forEach(
        (file, text) -> {
          List<String> lines = text.lines().toList();
          for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).contains("__syncthreads()")) continue;
            barriers.computeIfAbsent(file, _ -> new ArrayList<>()).add(i + 1);
          }
        });
    return barriers;
  }

  /** What the sanitizers say, nothing if nothing is wrong; see threads.cpp. */
  private static String run(String sanitizers, Path launches, String... without) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(HostKernels.sanitized(sanitizers).toString());
    command.add(launches.toString());
    command.addAll(List.of(without));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("ASAN_OPTIONS", "detect_leaks=0");
    builder.environment().put("TSAN_OPTIONS", "halt_on_error=1");
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    boolean good = process.waitFor() == 0;
    assumeFalse(
        said.contains("unexpected memory mapping"),
        "the thread sanitizer cannot run here: " + said);
    return good ? "" : said + process.exitValue();
  }
}
