package slimvox.backend;

import java.util.function.Consumer;
import slimvox.memory.Category;

/**
 * What the families of operations ask before a device sees a call: that shapes and types fit, once
 * for all devices; and what they do around one: workspaces of the ledger, and the search for the
 * first result that is not finite.
 *
 * <p>Null stands for a tensor that may be left out. What does not fit is a programming error:
 * {@link IllegalArgumentException}.
 */
final class Check {
  private final Backend backend;
  private boolean detecting;

  Check(Backend backend) {
    this.backend = backend;
  }

  /** See {@link Operations#detectAnomaly}. */
  void detectAnomaly(boolean detect) {
    detecting = detect;
  }

  /** Looks at a result while anomalies are searched for. */
  void finite(Tensor y) {
    if (detecting && !backend.ops().elementwise.isFinite(y)) {
      throw new NotFiniteException(y);
    }
  }

  /** Runs an operation with so many bytes of workspace, labelled after its result; null for 0. */
  void with(Tensor result, long workspaceBytes, Consumer<Tensor> operation) {
    int row = workspaceBytes >> 32 == 0 ? 1 : 1024; // an axis cannot be longer than an int
    int rows = Shape.axis((workspaceBytes + 4 * row - 1) / (4 * row));
    String label = result.label() + ".workspace";
    try (Tensor workspace =
        rows == 0 ? null : backend.allocate(Category.WORKSPACE, label, rows, row)) {
      operation.accept(workspace);
    }
  }

  /** The length of a tensor of this type, to be copied to the host. */
  static int hostLength(Tensor x, DataType type) {
    length(x, type, x.size());
    return Shape.axis(x.size());
  }

  static void length(Tensor x, DataType type, long length) {
    if (x.type() != type || x.size() != length) {
      throw new IllegalArgumentException(
          "%s holds %d elements of %s, not %d of %s"
              .formatted(x, x.size(), x.type(), length, type));
    }
  }

  static void float32(Tensor x) {
    if (x != null) length(x, DataType.FLOAT32, x.size());
  }

  /** A tensor of real numbers of any type. */
  static void real(Tensor x) {
    if (!x.type().isReal()) {
      throw new IllegalArgumentException(x + " holds " + x.type() + ", no real numbers");
    }
  }

  /** Tensors of real numbers, each of any type, of one shape. */
  static void alike(Tensor x, Tensor... others) {
    real(x);
    for (Tensor y : others) {
      if (y == null) continue;
      real(y);
      expect(x.shape(), y);
    }
  }

  /** A float32 tensor of this shape. */
  static void shape(Shape expected, Tensor x) {
    float32(x);
    expect(expected, x);
  }

  /** A tensor of this shape and any type. */
  static void expect(Shape expected, Tensor x) {
    if (!x.shape().equals(expected)) {
      throw new IllegalArgumentException(x + " should have the shape " + expected);
    }
  }

  /** Float32 tensors of one shape. */
  static void same(Tensor x, Tensor... others) {
    float32(x);
    for (Tensor y : others) if (y != null) shape(x.shape(), y);
  }

  /** Float32 vectors with a number for each channel of x. */
  static void channels(Tensor x, Tensor... vectors) {
    real(x);
    int c = x.shape().get(-1);
    for (Tensor v : vectors) {
      float32(v);
      if (v != null && v.size() != c) throw unfit("one value per channel", x, v);
    }
  }

  /** A refusal of two tensors. */
  static IllegalArgumentException unfit(String what, Tensor a, Tensor b) {
    return new IllegalArgumentException(what + ": " + a + " and " + b + " do not fit");
  }

  /** A float32 matrix and an int32 number for each of its rows. */
  static void labels(Tensor x, Tensor labels) {
    float32(x);
    length(labels, DataType.INT32, x.shape().rows());
  }

  /** Two float32 tensors of which something holds. */
  static void fit(boolean ok, String what, Tensor a, Tensor b) {
    float32(a);
    float32(b);
    if (!ok) throw unfit(what, a, b);
  }
}
