package slimvox.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.binary.PackedModel;
import slimvox.embed.Embedder;
import slimvox.export.OnnxFile;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Network;
import slimvox.models.Weights;
import slimvox.nn.BinaryScheme;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** A network in the format of other programs. */
@Command(
    name = "export",
    aliases = "convert",
    description = {
      "Write the network of a file in another format, which the name of OUT says.",
      "OUT.onnx: the network as ONNX runtimes run it, input feats (utterances x frames x bins, as"
          + " 'slimvox features' makes them), output embs; its metadata say the fewest frames and"
          + " where it comes from. OUT.safetensors: its tensors alone,"
          + " under WeSpeaker's names, for PyTorch, --init and 'slimvox embed'; what a checkpoint"
          + " says of its run stays in it.",
      "MODEL is a checkpoint of SlimVox or a file with WeSpeaker's parameter names (safetensors, or"
          + " PyTorch's .pt); --model and the options after it say what that must be."
    })
final class ExportCommand extends Subcommand {
  @Parameters(index = "0", paramLabel = "MODEL", description = "Checkpoint, safetensors or .pt.")
  private Path modelFile;

  @Parameters(index = "1", paramLabel = "OUT", description = "OUT.onnx or OUT.safetensors.")
  private Path out;

  ExportCommand() {
    super(DeclaredOptions.OF_NETWORK);
  }

  @Override
  public Integer call() {
    boolean onnx = out.toString().endsWith(".onnx");
    if (!onnx && !out.toString().endsWith(".safetensors")) {
      throw usage(out + " must end with .onnx or .safetensors, which says the format");
    }
    apart(out, "the model", modelFile);
    AtomicFile.requireWritable(out);
    if (PackedModel.isPacked(modelFile)) {
      throw InputException.at(
          modelFile, "is packed; export the checkpoint that it was packed from");
    }
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED)) {
      ModelFile model = ModelFile.open(modelFile, flags, 0, backend);
      try (Network network = model.network()) {
        if (onnx) {
          OnnxFile.write(network, metadata(model), out);
        } else {
          SafetensorsWriter writer = Safetensors.writer();
          Map<String, String> metadata =
              new LinkedHashMap<>(Safetensors.read(modelFile).metadata());
          metadata.remove("classes"); // whose classifier is left out
          metadata.forEach(writer::metadata);
          Weights.save(network.state(), "", writer);
          writer.write(out);
        }
        report(network.spec(), network.state().parameterCount());
      }
    }
    return 0;
  }

  private Map<String, String> metadata(ModelFile model) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("model", model.network().name());
    metadata.put("frame_shift_ms", Integer.toString(model.frontEnd().frameShiftMs()));
    metadata.put("cmn", Boolean.toString(model.frontEnd().meanNormalization()));
    metadata.put("fewest_frames", Integer.toString(new Embedder(model.network()).fewestFrames()));
    metadata.putAll(ShowCommand.of(modelFile));
    return metadata;
  }

  private void report(ModelSpec spec, long parameters) {
    BinaryScheme scheme = spec.binarization().scheme();
    Values values = new Values();
    values.put("out", out.toString());
    values.put("model", spec.name());
    values.put("width", spec.width());
    values.put("bins", spec.bins());
    values.put("embedding_size", spec.embeddingSize());
    values.put("parameters", parameters);
    values.put("scheme", Key.of(scheme));
    String text = "{out}: {model}, {width} channels, {bins} bins, {parameters:%,d} parameters";
    if (scheme != BinaryScheme.NONE) {
      text +=
          out.toString().endsWith(".onnx")
              ? "\nbinary convolutions ({scheme}) are float here, 4 bytes a weight, with their"
                  + " binary values; 'slimvox pack' has them in one bit"
              : "\nbinary convolutions ({scheme}) have their real weights here";
    }
    result(values.text(text), values);
  }
}
