package slimvox.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
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
import slimvox.recipe.Recipe;
import slimvox.report.Rows;
import slimvox.report.Values;
import slimvox.settings.Key;
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
    })
public final class PackCommand extends Subcommand {
  /** How far an embedding may be off, in parts of its largest value. */
  private static final double TOLERANCE = 1e-4;

  private static final int FRAMES = 200;

  /** Forms of the embedding layer. */
  public enum Head {
    /** As they were trained. */
    FLOAT32(WeightForm.FLOAT32),
    /** Eight bits with a scale a row. */
    INT8(WeightForm.INT8),
    /** One bit with a scale a row. */
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

  PackCommand() {
    super("run.threads");
  }

  @Override
  public Integer call() {
    int threads = flags.recipe().run().threads();
    apart(out, "the checkpoint", checkpoint);
    AtomicFile.requireWritable(out);
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED);
        Network network = CheckpointFile.network(checkpoint, backend)) {
      Map<String, String> origin = new LinkedHashMap<>();
      origin.put("checkpoint", checkpoint.getFileName().toString());
      Recipe recipe = CheckpointFile.recipe(checkpoint);
      origin.putAll(ShowCommand.of(checkpoint));
      origin.putAll(recipe.data().frontEnd().texts());
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
    Rows<PackSummary.Layer> layers =
        Rows.of(summary.layers())
            .column("name", "layer", "%-20s", PackSummary.Layer::name)
            .column("weight_bits", "W bit", " %5d", l -> l.form().weightBits())
            .column("activation_bits", "A bit", " %5d", l -> l.form().activationBits())
            .column("parameters", "weights", " %,10d", PackSummary.Layer::parameters)
            .column("bytes_before", "bytes before", " %,12d", PackSummary.Layer::bytesBefore)
            .column("bytes_after", "bytes after", " %,12d", PackSummary.Layer::bytesAfter)
            .column("ratio", " %6.1fx", l -> (double) l.bytesBefore() / l.bytesAfter())
            .column("multiply_adds", "multiply-adds", " %,14d", PackSummary.Layer::multiplyAdds);
    Values kinds = new Values();
    StringBuilder text = new StringBuilder(layers.text());
    text.append("multiply-adds of ").append(FRAMES).append(" frames:");
    for (WeightForm form : WeightForm.values()) {
      long count = summary.multiplyAdds(form);
      kinds.put(form.key(), count);
      if (count > 0) text.append(String.format(Locale.ROOT, " %s %,d", form.key(), count));
    }
    Values values = new Values();
    values.put("out", out.toString());
    values.put("model", model.spec().name());
    values.put("scheme", model.scheme());
    values.put("pooling", Key.of(model.spec().pooling()));
    values.put("head", model.head().form().key());
    values.put("packed_bytes", bytes);
    values.put("float_bytes", floatBytes);
    values.put("binary_ratio", summary.binaryRatio());
    values.put("difference", difference);
    values.put("multiply_adds", kinds);
    values.put("layers", layers.json());
    text.append(
        String.format(
            Locale.ROOT,
            "%nbinary convolutions %.1f times smaller, scales included; the file %.1f times:",
            summary.binaryRatio(),
            (double) floatBytes / bytes));
    text.append(
        values.text(
            " {packed_bytes:%,d} bytes of {float_bytes:%,d}\n"
                + "{out}: {model}, scheme {scheme}; embeddings differ by {difference:%.1e}\n"));
    result(text.toString(), values);
  }
}
