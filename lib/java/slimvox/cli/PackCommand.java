package slimvox.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.WeightForm;
import slimvox.binary.PackSummary;
import slimvox.binary.PackedModel;
import slimvox.binary.PackedNetwork;
import slimvox.binary.Packer;
import slimvox.embed.Embedder;
import slimvox.memory.MemoryBudget;
import slimvox.models.Network;
import slimvox.step.CheckpointFile;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/** Packs a binary network: one bit a weight. */
@Command(
    name = "pack",
    description = {
      "Pack the binary network of a checkpoint into one small file, one bit a weight, for"
          + " 'slimvox embed'.",
      "The packed network is run beside the trained one before the file is written."
    },
    sortOptions = false)
public final class PackCommand extends Subcommand {
  /** How far an embedding may be off, in parts of its largest value. */
  private static final double TOLERANCE = 1e-4;

  private static final int FRAMES = 200;

  /** Forms of the embedding layer. */
  public enum Head {
    FLOAT32(WeightForm.FLOAT32),
    INT8(WeightForm.INT8),
    BINARY(WeightForm.W1A32);

    /** As the packed file says it. */
    public final WeightForm form;

    Head(WeightForm form) {
      this.form = form;
    }
  }

  @Parameters(
      index = "0",
      paramLabel = "CHECKPOINT",
      description = "Checkpoint of a network trained with a binary scheme.")
  private Path checkpoint;

  @Parameters(index = "1", paramLabel = "OUT", description = "The packed file to write.")
  private Path out;

  @Option(
      names = "--head",
      paramLabel = "FORM",
      description =
          "Embedding layer in float32, int8 or binary (one bit a weight). Default float32.")
  private Head head = Head.FLOAT32;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute; 0: all cores. Default 0.")
  private int threads = 0;

  @Override
  public Integer call() {
    range("--threads", threads, 0, 4096);
    apart(out, "the checkpoint", checkpoint);
    AtomicFile.requireWritable(out);
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED);
        Network network = CheckpointFile.network(checkpoint, backend)) {
      Map<String, String> origin = new LinkedHashMap<>();
      origin.put("checkpoint", checkpoint.getFileName().toString());
      origin.put("recipe_hash", CheckpointFile.recipe(checkpoint).hash());
      PackedModel model = Packer.pack(network, checkpoint.toString(), WeightForm.FLOAT32, origin);
      double difference = difference(backend, network, model);
      PackedHead real = model.head();
      model =
          model.with(PackedHead.of(head.form, real.in(), real.out(), real.weights(), real.bias()));
      model.write(out);
      report(model, difference, network.state().parameterCount() * 4);
    }
    return 0;
  }

  /** Embeds noise with both; refuses a packed network that is another function. */
  private double difference(Backend backend, Network network, PackedModel model) {
    Random random = new Random(1);
    float[] values = new float[FRAMES * model.spec().bins()];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    Features noise = new Features(values, FRAMES, model.spec().bins());
    try (Embedder embedder = new Embedder(network);
        PackedNetwork packed = new PackedNetwork(backend, model)) {
      float[] expected = embedder.embed(noise);
      float[] actual = packed.embed(noise);
      double most = 0;
      double off = 0;
      for (int i = 0; i < expected.length; i++) {
        most = Math.max(most, Math.abs(expected[i]));
        off = Math.max(off, Math.abs(expected[i] - actual[i]));
      }
      if (!(off <= TOLERANCE * most)) {
        throw new InputException(
            String.format(
                Locale.ROOT,
                "%s: the packed network is not the trained one: embeddings differ by %.2g of %.2g;"
                    + " nothing was written",
                checkpoint,
                off,
                most));
      }
      return off / most;
    }
  }

  private void report(PackedModel model, double difference, long floatBytes) {
    PackSummary summary = PackSummary.of(model, FRAMES);
    long bytes;
    try {
      bytes = Files.size(out);
    } catch (IOException e) {
      throw new InputException(out + ": cannot be read: " + e.getMessage(), e);
    }
    List<Object> layers = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    text.append(
        "%-20s %5s %5s %10s %12s %12s %7s %14s%n"
            .formatted(
                "layer",
                "W bit",
                "A bit",
                "weights",
                "bytes before",
                "bytes after",
                "ratio",
                "multiply-adds"));
    for (PackSummary.Layer l : summary.layers()) {
      text.append(
          String.format(
              Locale.ROOT,
              "%-20s %5d %5d %,10d %,12d %,12d %6.1fx %,14d%n",
              l.name(),
              l.form().weightBits(),
              l.form().activationBits(),
              l.parameters(),
              l.bytesBefore(),
              l.bytesAfter(),
              (double) l.bytesBefore() / l.bytesAfter(),
              l.multiplyAdds()));
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("name", l.name());
      row.put("weight_bits", l.form().weightBits());
      row.put("activation_bits", l.form().activationBits());
      row.put("parameters", l.parameters());
      row.put("bytes_before", l.bytesBefore());
      row.put("bytes_after", l.bytesAfter());
      row.put("multiply_adds", l.multiplyAdds());
      layers.add(row);
    }
    Map<String, Object> kinds = new LinkedHashMap<>();
    text.append("multiply-adds of ").append(FRAMES).append(" frames:");
    for (WeightForm form : WeightForm.values()) {
      long count = summary.multiplyAdds(form);
      kinds.put(form.key(), count);
      if (count > 0) text.append(String.format(Locale.ROOT, " %s %,d", form.key(), count));
    }
    text.append(
        String.format(
            Locale.ROOT,
            "%nbinary convolutions %.1f times smaller, scales included; the file %.1f times:"
                + " %,d bytes of %,d%n%s: %s, scheme %s; embeddings differ by %.1e%n",
            summary.binaryRatio(),
            (double) floatBytes / bytes,
            bytes,
            floatBytes,
            out,
            model.spec().name(),
            model.scheme(),
            difference));
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("out", out.toString());
    values.put("model", model.spec().name());
    values.put("scheme", model.scheme());
    values.put("pooling", model.spec().pooling().key());
    values.put("head", model.head().form().key());
    values.put("packed_bytes", bytes);
    values.put("float_bytes", floatBytes);
    values.put("binary_ratio", summary.binaryRatio());
    values.put("difference", difference);
    values.put("multiply_adds", kinds);
    values.put("layers", layers);
    result(text.toString(), values);
  }
}
