package slimvox.backend.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import slimvox.backend.Tensor;

/**
 * An embedding layer in a device's memory, its weights in tiles of {@value LaidConvolution#TILE}
 * outputs: tile, input, output; for signs tile, input: a word, bit o for output o.
 *
 * @param form of the weights
 * @param in values in
 * @param scale factor of each output; 1 for FLOAT32
 * @param bias of each output
 * @param weights the tiles
 * @param onDevice what a device with memory of its own needs besides; else null
 */
public record LaidHead(
    WeightForm form, int in, float[] scale, float[] bias, Tensor weights, OnDevice onDevice)
    implements AutoCloseable {
  /** The rows, and room for the values in and the embedding. */
  public record OnDevice(Tensor scale, Tensor bias, Tensor in, Tensor out) {}

  private static final int TILE = LaidConvolution.TILE;

  /** A vector of bytes may be wider than what is left of the last tile. */
  private static final int WIDEST_BYTES = 16;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  static LaidHead of(PackedHead head, Packed packed, boolean ownMemory) {
    String name = PackedHead.NAME;
    float[] scale = head.scale();
    if (scale == null) Arrays.fill(scale = new float[head.out()], 1);
    Tensor weights = packed.parameter(name + ".weight", bytes(head));
    OnDevice onDevice =
        !ownMemory
            ? null
            : new OnDevice(
                packed.parameter(name + ".scale", scale),
                packed.parameter(name + ".bias", head.bias()),
                packed.activation(name + ".in", head.in()),
                packed.activation(name + ".out", head.out()));
    return new LaidHead(head.form(), head.in(), scale, head.bias(), weights, onDevice);
  }

  private static byte[] bytes(PackedHead head) {
    int in = head.in();
    long tileBytes = tileBytes(head.form(), in);
    byte[] bytes = new byte[Math.toIntExact(Plane.words(head.out()) * tileBytes + WIDEST_BYTES)];
    MemorySegment to = MemorySegment.ofArray(bytes);
    int row = SignBits.rowBytes(in);
    for (int o = 0; o < head.out(); o++) {
      long tile = o / TILE * tileBytes;
      int place = o % TILE;
      for (int i = 0; i < in; i++) {
        long n = (long) i * TILE + place;
        switch (head.form()) {
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
    return bytes;
  }

  private static long tileBytes(WeightForm form, int in) {
    return (long) in * TILE * form.weightBits() / 8;
  }

  /** Values of an embedding. */
  public int out() {
    return bias.length;
  }

  /** Number of tiles. */
  public int tiles() {
    return Plane.words(out());
  }

  /** Where a tile of weights lies. */
  public long tile(int tile) {
    return weights.address() + tile * tileBytes(form, in);
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
