package slimvox.binary;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.onednn.PreparedConvolution;
import slimvox.backend.dry.DryDevice;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BinaryScheme;
import slimvox.nn.Mode;
import slimvox.storage.InputException;

/**
 * Times every distinct convolution of a ResNet, and the whole network, in four forms: float32 and
 * int8 by oneDNN, W1A32 and W1A1 packed.
 *
 * <p>The forms take turns, and of each the shortest time counts, so that what else the machine does
 * hits all of them alike. oneDNN runs the bare convolution; the packed kernels do batch
 * normalization and activation too, and for W1A1 the shortcut and the next layer's signs. Batch 1.
 */
public final class BinaryBenchmark {
  /**
   * One convolution: how many layers have this shape, and the time of each form in ms.
   *
   * @param name of the first such layer
   * @param shape of the layer
   * @param count layers of this shape
   */
  public record Layer(
      String name,
      Convolution shape,
      int count,
      double float32Ms,
      double int8Ms,
      double w1a32Ms,
      double w1a1Ms) {}

  /**
   * The result.
   *
   * @param floatBytes of the network's parameters in float32
   * @param packedBytes of the packed file, W1A32
   * @param packedW1A1Bytes of the packed file, W1A1
   * @param layers in the order of the network
   * @param float32Ms whole network, one utterance, trained form, its weights laid out once
   * @param w1a32Ms the same packed
   * @param w1a1Ms the same packed
   */
  public record Result(
      long floatBytes,
      long packedBytes,
      long packedW1A1Bytes,
      List<Layer> layers,
      double float32Ms,
      double w1a32Ms,
      double w1a1Ms) {}

  /** Runs of a layer in a turn: its data are then in the cache, as in a network. */
  private static final int RUNS = 8;

  /** Least time for a layer, in nanoseconds for each round. */
  private static final long LEAST_NANOS = 10_000_000;

  private final Backend backend;
  private final ModelSpec spec;
  private final WeightForm head;
  private final int frames;
  private final int rounds;

  private BinaryBenchmark(
      Backend backend, ModelSpec spec, WeightForm head, int frames, int rounds) {
    this.backend = backend;
    this.spec = spec;
    this.head = head;
    this.frames = frames;
    this.rounds = rounds;
  }

  /**
   * Measures.
   *
   * @param backend the processor
   * @param spec a float ResNet of basic blocks; its weights are drawn here
   * @param head form of the packed embedding layer
   * @param rounds how often each form has its turn
   */
  public static Result run(
      Backend backend, ModelSpec spec, WeightForm head, int frames, int rounds) {
    if (!Models.fitsSigns(spec.name())) {
      throw new InputException(spec.name() + " has no packed form; ResNet18 and ResNet34 have");
    }
    return new BinaryBenchmark(backend, spec, head, frames, rounds).measure();
  }

  private Result measure() {
    PackedModel w1a32 = packed(BinaryScheme.BWN);
    PackedModel w1a1 = packed(BinaryScheme.W1A1);
    List<Layer> layers = layers(w1a32);
    Features features = features();
    try (Network network = Models.build(spec, backend);
        PackedNetwork first = new PackedNetwork(backend, w1a32);
        PackedNetwork second = new PackedNetwork(backend, w1a1)) {
      network.initialize(new Random(1));
      ArenaPlan plan = plan(network);
      double[] ms =
          shortest(
              rounds,
              1,
              () -> backend.step(plan, () -> evaluate(network, features)),
              () -> first.embed(features),
              () -> second.embed(features));
      return new Result(
          4 * network.state().parameterCount(),
          fileBytes(w1a32),
          fileBytes(w1a1),
          layers,
          ms[0],
          ms[1],
          ms[2]);
    }
  }

  private PackedModel packed(BinaryScheme scheme) {
    try (Network network = Models.build(spec.with(Binarization.of(scheme)), backend)) {
      network.initialize(new Random(1));
      return Packer.pack(network, spec.name(), head, Map.of());
    }
  }

  private static long fileBytes(PackedModel model) {
    try {
      Path file = Files.createTempFile("slimvox", ".packed");
      try {
        model.write(file);
        return Files.size(file);
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new InputException("the packed file cannot be written: " + e.getMessage(), e);
    }
  }

  private Features features() {
    Random random = new Random(2);
    float[] values = new float[Features.length(frames, spec.bins())];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return new Features(values, frames, spec.bins());
  }

  // ---- layers

  private List<Layer> layers(PackedModel model) {
    Map<Convolution, List<LayerShape>> shapes = new LinkedHashMap<>();
    int height = model.spec().bins();
    int width = frames;
    add(shapes, model.stem(), height, width);
    for (PackedBlock block : model.blocks()) {
      add(shapes, block.first(), height, width);
      if (block.shortcut() != null) add(shapes, block.shortcut(), height, width);
      height = block.first().shape().outLength(height);
      width = block.first().shape().outLength(width);
      add(shapes, block.second(), height, width);
    }
    List<Layer> layers = new ArrayList<>();
    // The first pass is for the compiler, which starts over with every new kind of shape.
    for (int pass = 0; pass < 2; pass++) {
      layers.clear();
      shapes.forEach((shape, all) -> layers.add(time(all.getFirst().name(), shape, all.size())));
    }
    return layers;
  }

  private static void add(
      Map<Convolution, List<LayerShape>> shapes, PackedConvolution layer, int height, int width) {
    LayerShape c = layer.shape();
    int pad = c.kernel() / 2;
    Convolution shape =
        new Convolution(
            1,
            height,
            width,
            c.in(),
            c.out(),
            c.kernel(),
            c.kernel(),
            c.stride(),
            c.stride(),
            pad,
            pad,
            1);
    shapes.computeIfAbsent(shape, _ -> new ArrayList<>()).add(c);
  }

  private Layer time(String name, Convolution g, int count) {
    CpuDevice device = (CpuDevice) backend.device();
    try (PreparedConvolution float32 = new PreparedConvolution(device, g, false);
        PreparedConvolution int8 = new PreparedConvolution(device, g, true);
        Single w1a32 = new Single(backend, layer(g, WeightForm.W1A32), g);
        Single w1a1 = new Single(backend, layer(g, WeightForm.W1A1), g)) {
      double[] ms = shortest(rounds, RUNS, float32::run, int8::run, w1a32::run, w1a1::run);
      return new Layer(name, g, count, ms[0], ms[1], ms[2], ms[3]);
    }
  }

  private static PackedConvolution layer(Convolution g, WeightForm form) {
    LayerShape shape =
        new LayerShape(
            "layer", form, g.inChannels(), g.outChannels(), g.kernelHeight(), g.strideHeight());
    byte[] signs = new byte[shape.out() * SignBits.rowBytes(shape.filterSize())];
    new Random(3).nextBytes(signs);
    float[] row = new float[shape.out()];
    Arrays.fill(row, 1);
    float[] counted = shape.takesSigns() ? row : null;
    ChannelActivation activation =
        shape.takesSigns()
            ? new ChannelActivation(ChannelActivation.Kind.RPRELU, row, row, row)
            : ChannelActivation.RELU;
    return new PackedConvolution(shape, signs, null, counted, counted, row, row, null, activation);
  }

  /** One packed convolution with planes of its own. */
  private static final class Single implements AutoCloseable {
    private final Packed packed;
    private final LaidConvolution laid;
    private final List<Tensor> tensors = new ArrayList<>();
    private final Plane in;
    private final Packed.Target target;
    private final Tensor scratch;

    Single(Backend backend, PackedConvolution layer, Convolution g) {
      packed = backend.ops().packed;
      laid = packed.lay(layer);
      LayerShape shape = layer.shape();
      in = plane(backend, g.height(), g.width(), shape.inElements());
      Plane out = plane(backend, g.outHeight(), g.outWidth(), shape.out());
      Plane bits = plane(backend, g.outHeight(), g.outWidth(), Plane.words(shape.out()));
      // In a block of signs the result goes where the shortcut was.
      target =
          shape.takesSigns()
              ? new Packed.Target(out, out, bits, null)
              : new Packed.Target(out, null, null, null);
      scratch = zeros(backend, 64 + packed.convolveWorkspace(shape));
    }

    private Plane plane(Backend backend, int height, int width, int elements) {
      long address = zeros(backend, Plane.bytes(height, width, elements)).address();
      return new Plane(address, height, width, elements);
    }

    private Tensor zeros(Backend backend, long bytes) {
      Tensor x = backend.allocate(Category.WORKSPACE, "bench", Math.toIntExact(bytes / 4));
      backend.ops().elementwise.fill(x, 0);
      tensors.add(x);
      return x;
    }

    void run() {
      packed.convolve(laid, in, target, scratch);
    }

    @Override
    public void close() {
      laid.close();
      tensors.forEach(Tensor::close);
    }
  }

  // ---- whole network

  private ArenaPlan plan(Network network) {
    try (Backend dry = new Backend(new DryDevice(backend.device()));
        Network planned = network.on(dry)) {
      network.freeze();
      planned.freeze();
      evaluate(planned, features());
      network.prepare(planned.convolutions());
      planned.prepare(planned.convolutions());
      dry.ledger().startTimeline();
      evaluate(planned, features());
      return ArenaPlan.of(dry.ledger().stopTimeline());
    }
  }

  private static float[] evaluate(Network network, Features features) {
    Backend on = network.backend();
    int bins = features.bins();
    float[] values = new float[bins * features.frames()];
    for (int b = 0; b < bins; b++) {
      for (int t = 0; t < features.frames(); t++) {
        values[b * features.frames() + t] = features.get(t, b);
      }
    }
    try (Tensor x = on.allocate(Category.INPUT, "features", 1, bins, features.frames(), 1)) {
      on.ops().upload(values, x);
      try (Tensor y = network.forward(x, Mode.EVALUATE)) {
        return on.ops().floats(y);
      }
    }
  }

  /**
   * The shortest time of each in ms, taking turns of so many runs, for so many rounds and at least
   * 10 ms a round: what the JVM compiles it compiles meanwhile.
   */
  private static double[] shortest(int rounds, int runs, Runnable... forms) {
    double[] ms = new double[forms.length];
    Arrays.fill(ms, Double.POSITIVE_INFINITY);
    long begin = System.nanoTime();
    for (int round = 0;
        round < rounds || System.nanoTime() - begin < rounds * LEAST_NANOS;
        round++) {
      for (int i = 0; i < forms.length * runs; i++) {
        long start = System.nanoTime();
        forms[i / runs].run();
        ms[i / runs] = Math.min(ms[i / runs], (System.nanoTime() - start) * 1e-6);
      }
    }
    return ms;
  }
}
