package slimvox.binary;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LaidHead;
import slimvox.backend.packed.Packed;

/** A {@link PackedModel}'s layers in a device's memory, in the model's order. */
record LaidNetwork(List<LaidConvolution> convolutions, List<Block> blocks, LaidHead head)
    implements AutoCloseable {
  /** A {@link PackedBlock}; {@code shortcut} is null for the identity. */
  record Block(
      boolean ofSigns, LaidConvolution first, LaidConvolution second, LaidConvolution shortcut) {}

  static LaidNetwork of(PackedModel model, Packed packed) {
    List<LaidConvolution> all = model.convolutions().stream().map(packed::lay).toList();
    Iterator<LaidConvolution> rest = all.subList(1, all.size()).iterator();
    List<Block> blocks = new ArrayList<>();
    for (PackedBlock b : model.blocks()) {
      blocks.add(
          new Block(
              b.ofSigns(), rest.next(), rest.next(), b.shortcut() == null ? null : rest.next()));
    }
    return new LaidNetwork(all, blocks, packed.lay(model.head()));
  }

  LaidConvolution stem() {
    return convolutions.getFirst();
  }

  @Override
  public void close() {
    convolutions.forEach(LaidConvolution::close);
    head.close();
  }
}
