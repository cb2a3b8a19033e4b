package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.memory.Category;

/** Planes for tests. */
final class PlaneMemory implements AutoCloseable {
  private final Backend backend;
  private final List<Tensor> tensors = new ArrayList<>();

  PlaneMemory(Backend backend) {
    this.backend = backend;
  }

  long bytes(long bytes) {
    Tensor t = backend.allocate(Category.WORKSPACE, "test", 1 + (int) (bytes / 4));
    tensors.add(t);
    return t.address();
  }

  /** A plane of these floats; null for zeros. */
  Plane plane(int height, int width, int elements, float[] values) {
    long address = bytes(Plane.bytes(height, width, elements));
    Plane plane = new Plane(address, height, width, elements);
    Lanes.ALL.asSlice(address, plane.bytes()).fill((byte) (values == null ? 0 : 1));
    plane.clearBorder();
    if (values != null) {
      for (int i = 0; i < values.length; i++) {
        int pixel = i / elements;
        Lanes.set(plane.pixel(pixel / width, pixel % width), i % elements, values[i]);
      }
    }
    return plane;
  }

  static float[] floats(Plane plane) {
    int[] bits = ints(plane);
    float[] values = new float[bits.length];
    for (int i = 0; i < bits.length; i++) values[i] = Float.intBitsToFloat(bits[i]);
    return values;
  }

  static int[] ints(Plane plane) {
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
