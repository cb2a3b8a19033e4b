package slimvox.binary;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedHead;
import slimvox.models.ModelSpec;

/**
 * A network as a packed file has it: a ResNet of basic blocks for inference only.
 *
 * @param spec architecture, width, bins, size of embeddings, and pooling: TSTP or GSP
 * @param scheme what was binarized in training, for example {@code bwn}
 * @param stem the first convolution
 * @param blocks in order
 * @param head the embedding layer
 * @param origin where it came from: texts by name
 */
public record PackedModel(
    ModelSpec spec,
    String scheme,
    PackedConvolution stem,
    List<PackedBlock> blocks,
    PackedHead head,
    Map<String, String> origin) {
  public PackedModel {
    blocks = List.copyOf(blocks);
    origin = Map.copyOf(origin);
    if (spec.pooling() == ModelSpec.Pooling.ASTP) {
      throw new IllegalArgumentException("attentive pooling has no packed form");
    }
  }

  /** All convolutions: the first, then each block's two and its shortcut. */
  public List<PackedConvolution> convolutions() {
    List<PackedConvolution> all = new ArrayList<>(List.of(stem));
    for (PackedBlock block : blocks) {
      all.add(block.first());
      all.add(block.second());
      if (block.shortcut() != null) all.add(block.shortcut());
    }
    return all;
  }

  /** The same with another embedding layer. */
  public PackedModel with(PackedHead head) {
    return new PackedModel(spec, scheme, stem, blocks, head, origin);
  }

  /** Reads a packed file; one that is damaged, or none, is refused. */
  public static PackedModel read(Path file) {
    return PackedFile.read(file);
  }

  /** Whether a file says that it is a packed model. */
  public static boolean isPacked(Path file) {
    return PackedFile.isPacked(file);
  }

  /** Writes a packed file; an earlier one stays whole until the new one is complete. */
  public void write(Path file) {
    PackedFile.write(this, file);
  }
}
