package slimvox.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;
import slimvox.binary.PackedBlock;
import slimvox.binary.PackedModel;
import slimvox.binary.PackedNetwork;
import slimvox.binary.Packer;
import slimvox.cli.DeclaredOptions;
import slimvox.cli.PackCommand;
import slimvox.cli.Subcommand;
import slimvox.embed.Embedder;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BinaryScheme;
import slimvox.report.Rows;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/** Convolutions in float32, int8, W1A32 and W1A1. */
@Command(
    name = "binary",
    description = {
      "Time every distinct convolution of a ResNet as float32 and int8 (oneDNN) and packed with one"
          + " bit a weight (W1A32) and one bit an activation too (W1A1), in turn.",
      "Times are the shortest of all rounds, for one utterance."
    })
public final class BinaryBench extends Subcommand {
  /** Runs of a layer in a turn: its data are then in the cache, as in a network. */
  private static final int RUNS = 8;

  /** Warm-up for each turn, and for each layer. */
  private static final long WARM_UP_MS = 10;

  /** A shape of convolutions: the first layer that has it, how many have it, and its times. */
  private record Layer(String name, Convolution shape, int count, List<Timing> forms) {
    double ms(int form) {
      return forms.get(form).best();
    }
  }

  @Option(
      names = "--head",
      paramLabel = "FORM",
      description = "Embedding layer of the packed file: float32, int8 or binary. Default float32.")
  private PackCommand.Head head = PackCommand.Head.FLOAT32;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of the utterance, 10 ms each.")
  private int frames = 200;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; 0: all cores.")
  private int threads = 1;

  @Option(
      names = {"--runs", "--rounds"},
      paramLabel = "N",
      description = "Turns of the whole network; a layer gets eight times as many.")
  private int runs = 50;

  /** The command; picocli fills in its options. */
  public BinaryBench() {
    super(DeclaredOptions.OF_NETWORK);
  }

  @Override
  public Integer call() {
    range("--frames", frames, 16, 100_000);
    range("--threads", threads, 0, 4096);
    range("--runs", runs, 1, 100_000);
    ModelSpec spec = flags.model();
    if (spec.pooling() == ModelSpec.Pooling.ASTP) {
      throw usage("--pooling astp has no packed form; give tstp or gsp");
    }
    if (!Models.fitsSigns(spec.name())) {
      throw new InputException(spec.name() + " has no packed form; ResNet18 and ResNet34 have");
    }
    CpuDevice device = CpuDevice.open(threads);
    try (Backend backend = new Backend(device)) {
      note(device.description());
      measure(backend, device, spec);
    }
    return 0;
  }

  private void measure(Backend backend, CpuDevice device, ModelSpec spec) {
    PackedModel w1a32 = packed(backend, spec, BinaryScheme.BWN);
    PackedModel w1a1 = packed(backend, spec, BinaryScheme.W1A1);
    List<Layer> layers = layers(backend, device, w1a32);
    Features features = Noise.features(new Random(2), frames, spec.bins());
    try (Network network = Models.build(spec, backend)) {
      network.initialize(new Random(1));
      try (Embedder float32 = Embedder.frozen(network);
          PackedNetwork first = new PackedNetwork(backend, w1a32);
          PackedNetwork second = new PackedNetwork(backend, w1a1)) {
        List<Timing> times =
            Timing.measure(
                Duration.ofMillis(WARM_UP_MS * runs),
                runs,
                1,
                () -> float32.embed(features),
                () -> first.embed(features),
                () -> second.embed(features));
        Values values = new Values();
        values.put("model", spec.name());
        values.put("pooling", Key.of(spec.pooling()));
        values.put("head", head.form.key());
        values.put("frames", frames);
        values.put("threads", threads);
        values.put("processor", Processor.description());
        values.put("packed_bytes", fileBytes(w1a32));
        values.put("packed_w1a1_bytes", fileBytes(w1a1));
        values.put("float_bytes", 4 * network.state().parameterCount());
        report(layers, times, values);
      }
    }
  }

  private PackedModel packed(Backend backend, ModelSpec spec, BinaryScheme scheme) {
    try (Network network = Models.build(spec.with("binary.scheme=" + Key.of(scheme)), backend)) {
      network.initialize(new Random(1));
      return Packer.pack(network, spec.name(), head.form, Map.of());
    }
  }

  /** All shapes take turns: the compiler starts over with every new one. */
  private List<Layer> layers(Backend backend, CpuDevice device, PackedModel model) {
    Map<Convolution, List<String>> shapes = shapes(model);
    List<ConvolutionForms> all = new ArrayList<>();
    try {
      for (Convolution g : shapes.keySet()) all.add(new ConvolutionForms(backend, device, g));
      Runnable[] forms = all.stream().flatMap(f -> f.forms().stream()).toArray(Runnable[]::new);
      Duration warmUp = Duration.ofMillis(WARM_UP_MS * all.size() * runs);
      List<Timing> times = Timing.measure(warmUp, runs, RUNS, forms);
      List<Layer> layers = new ArrayList<>();
      for (var entry : shapes.entrySet()) {
        int first = 4 * layers.size();
        List<String> names = entry.getValue();
        layers.add(
            new Layer(
                names.getFirst(), entry.getKey(), names.size(), times.subList(first, first + 4)));
      }
      return layers;
    } finally {
      all.forEach(ConvolutionForms::close);
    }
  }

  /** The layers of each shape, in the order of the network. */
  private Map<Convolution, List<String>> shapes(PackedModel model) {
    Map<Convolution, List<String>> shapes = new LinkedHashMap<>();
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
    return shapes;
  }

  private static void add(
      Map<Convolution, List<String>> shapes, PackedConvolution layer, int height, int width) {
    LayerShape c = layer.shape();
    int kernel = c.kernel();
    int pad = kernel / 2;
    Convolution g =
        new Convolution(
            1,
            height,
            width,
            c.in(),
            c.out(),
            kernel,
            kernel,
            c.stride(),
            c.stride(),
            pad,
            pad,
            1,
            DataType.FLOAT32);
    shapes.computeIfAbsent(g, _ -> new ArrayList<>()).add(c.name());
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

  private void report(List<Layer> layers, List<Timing> network, Values values) {
    Rows<Layer> rows =
        Rows.of(layers)
            .column("name", "ms", "%-20s", Layer::name)
            .column("shape", "shape", " %-24s", l -> shape(l.shape))
            .column("count", "count", " %5d", Layer::count)
            .column("float32_ms", "float32", " %9.3f", l -> l.ms(0))
            .column("int8_ms", "int8", " %9.3f", l -> l.ms(1))
            .column("w1a32_ms", "W1A32", " %9.3f", l -> l.ms(2))
            .column("w1a1_ms", "W1A1", " %9.3f", l -> l.ms(3))
            .column("W1A32 x", " %8.2f", l -> l.ms(0) / l.ms(2))
            .column("W1A1 x", " %8.2f", l -> l.ms(0) / l.ms(3));
    values.put("layers", rows.json());
    double float32 = network.get(0).best();
    double w1a32 = network.get(1).best();
    double w1a1 = network.get(2).best();
    values.put("network_float32_ms", float32);
    values.put("network_w1a32_ms", w1a32);
    values.put("network_w1a1_ms", w1a1);
    values.put("network_float32_median_ms", network.get(0).median());
    values.put("network_w1a32_median_ms", network.get(1).median());
    values.put("network_w1a1_median_ms", network.get(2).median());
    String whole =
        String.format(
            Locale.ROOT,
            "%-51s %9.2f %9s %9.2f %9.2f %8.2f %8.2f%n",
            "whole network",
            float32,
            "",
            w1a32,
            w1a1,
            float32 / w1a32,
            float32 / w1a1);
    String bytes =
        "packed file {packed_bytes:%,d} bytes (W1A1 {packed_w1a1_bytes:%,d}), float32 parameters"
            + " {float_bytes:%,d}";
    result(rows.text() + whole + values.text(bytes), values);
  }

  private static String shape(Convolution c) {
    return "%dx%d %d->%d, %dx%d/%d"
        .formatted(
            c.height(),
            c.width(),
            c.inChannels(),
            c.outChannels(),
            c.kernelHeight(),
            c.kernelWidth(),
            c.strideHeight());
  }
}
