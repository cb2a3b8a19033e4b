package slimvox.backend.cuda;

import slimvox.backend.Matrices.Product;

/**
 * What launches of a kernel have to do.
 *
 * @param elements that its loop goes over; of a product, multiply-adds
 * @param bytes of what it reads and writes, each tensor once, but for what every channel has once
 */
record KernelWork(long elements, long bytes) {
  private static final int FLOAT = 4;

  /** One launch; null if the kernel is none of those that take the time of a step. */
  static KernelWork of(String kernel, Object[] v) {
    return switch (kernel) {
      case "bn_statistics" -> matrix(v, 1, 1);
      case "bn_normalize4" -> matrix(v, 8, 2 + there(v[5]));
      case "bn_backward_sums" -> matrix(v, 8, 2 + there(v[1]) + there(v[7]));
      case "bn_backward4" -> matrix(v, 7, 3 + there(v[1]));
      case "add_scaled" -> of((long) v[3], 3 * (long) v[3]);
      case "space_to_depth", "depth_to_space" -> matrix(v, 2, 4, 2);
      case "depthwise_strips", "depthwise_strips_normalized" ->
          strips((int) v[3], v, 4, (int) v[19]);
      case "depthwise_strips_weight", "depthwise_strips_normalized_weight" ->
          strips((int) v[3], v, 5, 0);
      default -> null;
    };
  }

  static KernelWork of(Product p, boolean accumulate) {
    long c = (long) p.m() * p.n();
    long read = (long) p.m() * p.k() + (long) p.k() * p.n();
    return of(c * p.k(), read + (accumulate ? 2 : 1) * c);
  }

  KernelWork plus(KernelWork other) {
    return new KernelWork(elements + other.elements, bytes + other.bytes);
  }

  private static KernelWork of(long elements, long floats) {
    return new KernelWork(elements, FLOAT * floats);
  }

  private static int there(Object pointer) {
    return (long) pointer == 0 ? 0 : 1;
  }

  private static KernelWork matrix(Object[] v, int rows, int passes) {
    return matrix(v, rows, rows + 1, passes);
  }

  private static KernelWork matrix(Object[] v, int rows, int columns, int passes) {
    long elements = ((Number) v[rows]).longValue() * (int) v[columns];
    return of(elements, passes * elements);
  }

  /** From {@code at}: strips of a row, their length, height, width, channels, result's height. */
  private static KernelWork strips(int strips, Object[] v, int at, int add) {
    long rows = strips / (int) v[at];
    long channels = (int) v[at + 4];
    long result = rows * (int) v[at + 6] * channels;
    long source = rows / (int) v[at + 5] * (int) v[at + 2] * (int) v[at + 3] * channels;
    return of(result, source + (1 + add) * result);
  }
}
