package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;

/**
 * What packing did to each layer: bits, bytes before and after, and the multiply-adds of one
 * utterance by kind.
 *
 * <p>Before are float32 weights and batch normalization as a checkpoint has them (four values a
 * channel); after is what the packed file's tensors take, scales and folded normalization included.
 *
 * @param layers the convolutions in order, then the embedding layer
 */
public record PackSummary(List<Layer> layers) {
  /**
   * One layer.
   *
   * @param name for example {@code layer1.0.conv1}
   * @param form of its weights
   * @param parameters number of weights
   * @param weightBytesBefore of the real weights
   * @param weightBytesAfter of the stored weights and their scales: what "32 times" is said of
   * @param bytesBefore with batch normalization, activation parameters and bias
   * @param bytesAfter with all that is stored for it
   * @param multiplyAdds of one utterance
   */
  public record Layer(
      String name,
      WeightForm form,
      long parameters,
      long weightBytesBefore,
      long weightBytesAfter,
      long bytesBefore,
      long bytesAfter,
      long multiplyAdds) {}

  /** The summary of a model for utterances of so many frames. */
  public static PackSummary of(PackedModel model, int frames) {
    List<Layer> layers = new ArrayList<>();
    int height = model.spec().bins();
    int width = frames;
    layers.add(layer(model.stem(), height, width));
    for (PackedBlock block : model.blocks()) {
      LayerShape first = block.first().shape();
      layers.add(layer(block.first(), height, width));
      layers.add(layer(block.second(), first.outLength(height), first.outLength(width)));
      if (block.shortcut() != null) layers.add(layer(block.shortcut(), height, width));
      height = first.outLength(height);
      width = first.outLength(width);
    }
    layers.add(head(model.head()));
    return new PackSummary(List.copyOf(layers));
  }

  private static Layer layer(PackedConvolution c, int height, int width) {
    LayerShape shape = c.shape();
    boolean binary = shape.form().isBinary();
    long weights = shape.weightCount();
    long row = 4L * shape.out();
    long stored = binary ? (long) shape.out() * SignBits.rowBytes(shape.filterSize()) : 4 * weights;
    long inputShift = c.inputShift() == null ? 0 : 4L * shape.in();
    return new Layer(
        shape.name(),
        shape.form(),
        weights,
        4 * weights,
        stored + (binary ? row : 0),
        4 * weights + row * (4 + c.activation().rowCount()) + inputShift,
        stored + row * c.rowCount() + inputShift,
        shape.multiplyAdds(height, width));
  }

  private static Layer head(PackedHead h) {
    long weights = (long) h.in() * h.out();
    long stored =
        switch (h.form()) {
          case FLOAT32 -> 4 * weights;
          case INT8 -> weights;
          default -> (long) h.out() * SignBits.rowBytes(h.in());
        };
    long scales = h.scale() == null ? 0 : 4L * h.out();
    long bias = 4L * h.out();
    return new Layer(
        PackedHead.NAME,
        h.form(),
        weights,
        4 * weights,
        stored + scales,
        4 * weights + bias,
        stored + scales + bias,
        weights);
  }

  /** Bytes of all layers before. */
  public long bytesBefore() {
    return layers.stream().mapToLong(Layer::bytesBefore).sum();
  }

  /** Bytes of all layers after; the file has a header besides. */
  public long bytesAfter() {
    return layers.stream().mapToLong(Layer::bytesAfter).sum();
  }

  /** How many times smaller the binary convolutions' weights are, scales included. */
  public double binaryRatio() {
    long before = 0;
    long after = 0;
    for (Layer l : layers) {
      if (!l.form.isBinary() || l.name.equals(PackedHead.NAME)) continue;
      before += l.weightBytesBefore;
      after += l.weightBytesAfter;
    }
    return (double) before / after;
  }

  /** Multiply-adds of all layers of a form. */
  public long multiplyAdds(WeightForm form) {
    return layers.stream().filter(l -> l.form == form).mapToLong(Layer::multiplyAdds).sum();
  }
}
