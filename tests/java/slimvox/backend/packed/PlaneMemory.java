package slimvox.backend.packed;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.memory.Category;

/** Planes for tests. */
public final class PlaneMemory implements AutoCloseable {
  private final Backend backend;
  private final List<Tensor> tensors = new ArrayList<>();

  public PlaneMemory(Backend backend) {
    this.backend = backend;
  }

  /** Room for so many bytes. */
  public Tensor bytes(long bytes) {
    Tensor t = backend.allocate(Category.WORKSPACE, "test", 1 + (int) (bytes / 4));
    tensors.add(t);
    return t;
  }

  /** A plane of these floats. */
  public Plane plane(int height, int width, int elements, float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) bits[i] = Float.floatToRawIntBits(values[i]);
    return plane(height, width, elements, bits);
  }

  /**
   * A plane of these words or bits of floats within a border that has to be cleared; null for 0.
   */
  public Plane plane(int height, int width, int elements, int[] values) {
    long address = bytes(Plane.bytes(height, width, elements)).address();
    Plane plane = new Plane(address, height, width, elements);
    Lanes.ALL.asSlice(address, plane.bytes()).fill((byte) (values == null ? 0 : 1));
    backend.ops().packed.clearBorder(plane);
    for (int i = 0; values != null && i < values.length; i++) {
      int pixel = i / elements;
      Lanes.setInt(plane.pixel(pixel / width, pixel % width), i % elements, values[i]);
    }
    return plane;
  }

  public static float[] floats(Plane plane) {
    int[] bits = ints(plane);
    float[] values = new float[bits.length];
    for (int i = 0; i < bits.length; i++) values[i] = Float.intBitsToFloat(bits[i]);
    return values;
  }

  public static int[] ints(Plane plane) {
    int e = plane.elements();
    int[] values = new int[plane.height() * plane.width() * e];
    for (int i = 0; i < values.length; i++) {
      int pixel = i / e;
      values[i] = Lanes.getInt(plane.pixel(pixel / plane.width(), pixel % plane.width()), i % e);
    }
    return values;
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
