package slimvox.backend.packed;

import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Convolutions and an embedding layer with one bit a weight, on planes with a border.
 *
 * <p>Every device gives the same bits: sums are chains in one order, and each rounding is said in
 * {@link PackedConvolution}. Planes and weights have one form for all devices, so that a dry device
 * prices inference as well.
 */
public final class Packed {
  /** What is added to a pooled variance before its root is taken. */
  public static final double FLOOR = 1e-7f;

  /**
   * Where a convolution's results go, and what is added; null where not wanted.
   *
   * @param floats the output
   * @param shortcut added before the activation; may be {@code floats}
   * @param signs of the output
   * @param signShift added before the signs are taken, see {@link LaidConvolution#inputShift}
   */
  public record Target(Plane floats, Plane shortcut, Plane signs, Tensor signShift) {}

  /**
   * What a device computes. Arguments have been checked; a method that is not overridden does
   * nothing, which is what a dry device does.
   */
  public interface Kernels {
    /**
     * Whether the device has memory of its own: then sizes of filters, and the embedding layer's
     * rows, input and output, have to be there.
     */
    default boolean ownMemory() {
      return false;
    }

    /** Scratch bytes of {@link #convolve}. */
    default long convolveWorkspace(LayerShape layer) {
      return 0;
    }

    /** Convolves a plane of floats, or of signs for W1A1, as {@link PackedConvolution} says. */
    default void convolve(LaidConvolution layer, Plane x, Target target, Tensor workspace) {}

    /** Fills the border of a plane with zeros. */
    default void clearBorder(Plane plane) {}

    /**
     * The embedding y = scale (W p) + bias of a plane. p are means, then deviations, of the plane's
     * channels over {@code groups} groups of rows, value c groups + g; deviation = sqrt(unbiased
     * variance + {@link #FLOOR}), summed in float64.
     *
     * @return y, on the host
     */
    default float[] embed(LaidHead head, Plane x, int groups) {
      return new float[head.out()];
    }
  }

  private final Backend backend;
  private final Kernels kernels;

  /** The operations of a backend. */
  public Packed(Backend backend, Kernels kernels) {
    this.backend = backend;
    this.kernels = kernels;
  }

  /** A convolution in this backend's memory; the caller closes it. */
  public LaidConvolution lay(PackedConvolution layer) {
    return LaidConvolution.of(layer, this, kernels.ownMemory());
  }

  /** An embedding layer in this backend's memory; the caller closes it. */
  public LaidHead lay(PackedHead head) {
    return LaidHead.of(head, this, kernels.ownMemory());
  }

  Tensor parameter(String label, int[] values) {
    Tensor x = parameter(label, DataType.INT32, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  Tensor parameter(String label, float[] values) {
    Tensor x = parameter(label, DataType.FLOAT32, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  Tensor parameter(String label, byte[] values) {
    Tensor x = parameter(label, DataType.UINT8, values.length);
    backend.ops().upload(values, x);
    return x;
  }

  private Tensor parameter(String label, DataType type, int size) {
    return backend.allocate(Category.PARAMETER, label, type, Shape.of(size));
  }

  Tensor activation(String label, int size) {
    return backend.allocate(Category.ACTIVATION, label, size);
  }

  /** See {@link Kernels#convolveWorkspace}. */
  public long convolveWorkspace(LayerShape layer) {
    return kernels.convolveWorkspace(layer);
  }

  /**
   * See {@link Kernels#convolve}.
   *
   * @param workspace of at least {@link #convolveWorkspace} bytes; null where that is 0
   */
  public void convolve(LaidConvolution layer, Plane x, Target target, Tensor workspace) {
    LayerShape shape = layer.shape();
    int height = shape.outLength(x.height());
    int width = shape.outLength(x.width());
    expect(shape, "input", x, x.height(), x.width(), shape.inElements());
    expect(shape, "output", target.floats, height, width, shape.out());
    expect(shape, "shortcut", target.shortcut, height, width, shape.out());
    expect(shape, "signs", target.signs, height, width, Plane.words(shape.out()));
    long bytes = convolveWorkspace(shape);
    if (bytes > 0 && (workspace == null || workspace.bytes() < bytes)) {
      throw new IllegalArgumentException(
          "%s needs %d bytes of workspace".formatted(shape.name(), bytes));
    }
    kernels.convolve(layer, x, target, workspace);
  }

  private static void expect(
      LayerShape layer, String what, Plane plane, int height, int width, int elements) {
    if (plane == null
        || plane.height() == height && plane.width() == width && plane.elements() == elements) {
      return;
    }
    throw new IllegalArgumentException(
        "%s: %s is %d x %d x %d, not %d x %d x %d"
            .formatted(
                layer.name(),
                what,
                plane.height(),
                plane.width(),
                plane.elements(),
                height,
                width,
                elements));
  }

  /** See {@link Kernels#clearBorder}. */
  public void clearBorder(Plane plane) {
    kernels.clearBorder(plane);
  }

  /** See {@link Kernels#embed}. */
  public float[] embed(LaidHead head, Plane x, int groups) {
    if (x.height() % groups != 0 || head.in() != 2 * groups * x.elements()) {
      throw new IllegalArgumentException(
          "%d groups of %d rows and %d channels are not the %d values of the embedding layer"
              .formatted(groups, x.height(), x.elements(), head.in()));
    }
    return kernels.embed(head, x, groups);
  }
}
