package slimvox.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.Convolution;
import slimvox.binary.BinaryBenchmark;
import slimvox.cli.ModelOptions;
import slimvox.cli.PackCommand;
import slimvox.cli.Subcommand;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;

/** Convolutions in float32, int8, W1A32 and W1A1. */
@Command(
    name = "binary",
    description = {
      "Time every distinct convolution of a ResNet as float32 and int8 (oneDNN) and packed with one"
          + " bit a weight (W1A32) and one bit an activation too (W1A1), in turn.",
      "Times are the shortest of all rounds, for one utterance."
    },
    sortOptions = false)
public final class BinaryBench extends Subcommand {
  @Mixin private ModelOptions model;

  @Option(
      names = "--head",
      paramLabel = "FORM",
      description = "Embedding layer of the packed file: float32, int8 or binary. Default float32.")
  private PackCommand.Head head = PackCommand.Head.FLOAT32;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of the utterance, 10 ms each. Default ${DEFAULT-VALUE}.")
  private int frames = 200;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; 0: all cores. Default ${DEFAULT-VALUE}.")
  private int threads = 1;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description =
          "Turns of the whole network; a layer gets eight times as many. Default"
              + " ${DEFAULT-VALUE}.")
  private int rounds = 50;

  @Override
  public Integer call() {
    range("--frames", frames, 16, 100_000);
    range("--threads", threads, 0, 4096);
    range("--rounds", rounds, 1, 100_000);
    ModelSpec spec = model.spec(this);
    if (spec.pooling() == ModelSpec.Pooling.ASTP) {
      throw usage("--pooling astp has no packed form; give tstp or gsp");
    }
    BinaryBenchmark.Result r;
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED)) {
      note(backend.device().description());
      r = BinaryBenchmark.run(backend, spec, head.form, frames, rounds);
    }
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("model", spec.name());
    values.put("pooling", spec.pooling().key());
    values.put("head", head.form.key());
    values.put("frames", frames);
    values.put("threads", threads);
    values.put("packed_bytes", r.packedBytes());
    values.put("packed_w1a1_bytes", r.packedW1A1Bytes());
    values.put("float_bytes", r.floatBytes());
    List<Object> layers = new ArrayList<>();
    for (BinaryBenchmark.Layer l : r.layers()) layers.add(json(l));
    values.put("layers", layers);
    values.put("network_float32_ms", r.float32Ms());
    values.put("network_w1a32_ms", r.w1a32Ms());
    values.put("network_w1a1_ms", r.w1a1Ms());
    result(text(r), values);
    return 0;
  }

  private static Map<String, Object> json(BinaryBenchmark.Layer l) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("name", l.name());
    row.put("shape", shape(l.shape()));
    row.put("count", l.count());
    row.put("float32_ms", l.float32Ms());
    row.put("int8_ms", l.int8Ms());
    row.put("w1a32_ms", l.w1a32Ms());
    row.put("w1a1_ms", l.w1a1Ms());
    return row;
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

  private static String text(BinaryBenchmark.Result r) {
    StringBuilder text = new StringBuilder();
    text.append(
        "%-20s %-24s %5s %9s %9s %9s %9s %8s %8s%n"
            .formatted(
                "ms", "shape", "count", "float32", "int8", "W1A32", "W1A1", "W1A32 x", "W1A1 x"));
    for (BinaryBenchmark.Layer l : r.layers()) {
      text.append(
          String.format(
              Locale.ROOT,
              "%-20s %-24s %5d %9.3f %9.3f %9.3f %9.3f %8.2f %8.2f%n",
              l.name(),
              shape(l.shape()),
              l.count(),
              l.float32Ms(),
              l.int8Ms(),
              l.w1a32Ms(),
              l.w1a1Ms(),
              l.float32Ms() / l.w1a32Ms(),
              l.float32Ms() / l.w1a1Ms()));
    }
    text.append(
        String.format(
            Locale.ROOT,
            "%-51s %9.2f %9s %9.2f %9.2f %8.2f %8.2f%n",
            "whole network",
            r.float32Ms(),
            "",
            r.w1a32Ms(),
            r.w1a1Ms(),
            r.float32Ms() / r.w1a32Ms(),
            r.float32Ms() / r.w1a1Ms()));
    text.append(
        String.format(
            Locale.ROOT,
            "packed file %,d bytes (W1A1 %,d), float32 parameters %,d%n",
            r.packedBytes(),
            r.packedW1A1Bytes(),
            r.floatBytes()));
    return text.toString();
  }
}
