package slimvox.backend.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * An embedding layer in a device's memory, its weights in tiles of {@value LaidConvolution#TILE}
 * outputs: tile, input, output; for signs tile, input: a word, bit o for output o.
 */
public final class LaidHead implements AutoCloseable {
  private static final int TILE = LaidConvolution.TILE;

  /** A vector of bytes may be wider than what is left of the last tile. */
  private static final int WIDEST_BYTES = 16;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final WeightForm form;
  private final int in;
  private final float[] scale;
  private final float[] bias;
  private final long tileBytes;
  private final Tensor weights;
  private final Rows onDevice; // null where the host's arrays do

  /**
   * What a device with memory of its own needs besides the weights: {@code in} and {@code out} are
   * room for the values in and the embedding.
   */
  public record Rows(Tensor scale, Tensor bias, Tensor in, Tensor out) {}

  LaidHead(Backend backend, PackedHead head, boolean ownMemory) {
    form = head.form();
    in = head.in();
    bias = head.bias();
    scale = head.scale() == null ? new float[head.out()] : head.scale();
    if (head.scale() == null) Arrays.fill(scale, 1);
    tileBytes = (long) in * TILE * form.weightBits() / 8;
    byte[] values = new byte[Math.toIntExact(tiles() * tileBytes + WIDEST_BYTES)];
    String label = PackedHead.NAME + ".weight";
    weights = backend.allocate(Category.PARAMETER, label, DataType.UINT8, Shape.of(values.length));
    fill(head, MemorySegment.ofArray(values));
    backend.ops().upload(values, weights);
    onDevice =
        !ownMemory
            ? null
            : new Rows(
                row(backend, Category.PARAMETER, "scale", scale),
                row(backend, Category.PARAMETER, "bias", bias),
                row(backend, Category.ACTIVATION, "in", new float[in]),
                row(backend, Category.ACTIVATION, "out", new float[bias.length]));
  }

  private static Tensor row(Backend backend, Category category, String name, float[] values) {
    Tensor x = backend.allocate(category, PackedHead.NAME + "." + name, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  private void fill(PackedHead head, MemorySegment to) {
    int row = SignBits.rowBytes(in);
    for (int o = 0; o < out(); o++) {
      long tile = o / TILE * tileBytes;
      int place = o % TILE;
      for (int i = 0; i < in; i++) {
        long n = (long) i * TILE + place;
        switch (form) {
          case FLOAT32 -> to.set(FLOAT, tile + 4 * n, head.weights()[o * in + i]);
          case INT8 -> to.set(ValueLayout.JAVA_BYTE, tile + n, head.codes()[o * in + i]);
          default -> {
            int bit = SignBits.get(head.codes(), row, o, i);
            long word = tile + 4L * i;
            to.set(INT, word, to.get(INT, word) | bit << place);
          }
        }
      }
    }
  }

  /** How the weights are stored. */
  public WeightForm form() {
    return form;
  }

  /** Values in. */
  public int in() {
    return in;
  }

  /** Values of an embedding. */
  public int out() {
    return bias.length;
  }

  /** Factor of each output; 1 for FLOAT32. */
  public float[] scale() {
    return scale;
  }

  /** Summand of each output. */
  public float[] bias() {
    return bias;
  }

  /** Number of tiles. */
  public int tiles() {
    return Plane.words(out());
  }

  /** Where a tile of weights lies. */
  public long tile(int tile) {
    return weights.address() + tile * tileBytes;
  }

  /** The rows on a device with memory of its own; else null. */
  public Rows onDevice() {
    return onDevice;
  }

  @Override
  public void close() {
    weights.close();
    if (onDevice == null) return;
    onDevice.scale.close();
    onDevice.bias.close();
    onDevice.in.close();
    onDevice.out.close();
  }
}
