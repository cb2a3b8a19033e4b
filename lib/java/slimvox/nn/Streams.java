package slimvox.nn;

import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.Tensor.Grid;
import slimvox.memory.Category;

/**
 * The two halves of a reversible network's state, or of its gradient.
 *
 * <p>A stage changes them in place or replaces them; whoever holds the object owns both tensors.
 */
public final class Streams implements AutoCloseable {
  private Tensor first;
  private Tensor second;

  Streams(Tensor first, Tensor second) {
    this.first = first;
    this.second = second;
  }

  /**
   * The first and the second half of the channels of {@code x}, as copies; {@code x} is borrowed.
   *
   * @param type how they are held, on a grid that may be null
   * @throws IllegalArgumentException if the number of channels is odd
   */
  static Streams split(Tensor x, Category category, String label, DataType type, Grid grid) {
    int[] lengths = x.shape().toArray();
    int channels = lengths[lengths.length - 1];
    if (channels % 2 != 0) {
      throw new IllegalArgumentException(
          label + ": " + channels + " channels cannot be cut into two streams");
    }
    lengths[lengths.length - 1] = channels / 2;
    Shape half = Shape.of(lengths);
    Tensor first = x.backend().allocate(category, label + ".1", type, grid, half);
    slice(x, 0, first);
    Tensor second = x.backend().allocate(category, label + ".2", type, grid, half);
    slice(x, channels / 2, second);
    return new Streams(first, second);
  }

  private static void slice(Tensor x, int from, Tensor part) {
    Operations ops = x.backend().ops();
    if (x.type() == part.type()) {
      ops.rearrangement.sliceChannels(x, from, part);
      return;
    }
    String label = part.label() + ".values";
    try (Tensor values = x.backend().allocate(part.category(), label, x.type(), part.shape())) {
      ops.rearrangement.sliceChannels(x, from, values);
      ops.elementwise.convert(values, part);
    }
  }

  /** Two copies of {@code x}, which is borrowed, held as those of {@link #split}. */
  static Streams twins(Tensor x, Category category, String label, DataType type, Grid grid) {
    Tensor first = x.backend().allocate(category, label + ".1", type, grid, x.shape());
    copy(x, first);
    Tensor second = x.backend().allocate(category, label + ".2", type, grid, x.shape());
    copy(x, second);
    return new Streams(first, second);
  }

  private static void copy(Tensor x, Tensor y) {
    if (x.type() == y.type()) x.backend().ops().elementwise.copy(x, y);
    else x.backend().ops().elementwise.convert(x, y);
  }

  /** The sum of both streams as a new tensor; they stay. */
  Tensor sum(String label) {
    Tensor y = first.backend().allocateLike(first, first.category(), label);
    copy(first, y);
    first.backend().ops().elementwise.axpy(1, second, y);
    return y;
  }

  /** Both streams as one tensor; they are released. */
  Tensor join(String label) {
    int[] lengths = first.shape().toArray();
    int channels = lengths[lengths.length - 1];
    lengths[lengths.length - 1] = 2 * channels;
    Category category = first.category();
    Tensor y = first.backend().allocate(category, label, first.computed(), Shape.of(lengths));
    write(first, 0, y);
    write(second, channels, y);
    return y;
  }

  private static void write(Tensor part, int from, Tensor y) {
    try (part) {
      Operations ops = y.backend().ops();
      if (part.type() == y.type()) {
        ops.rearrangement.writeChannels(part, from, y);
        return;
      }
      try (Tensor values = y.backend().allocateLike(part, y.category(), y.label() + ".values")) {
        ops.elementwise.convert(part, values);
        ops.rearrangement.writeChannels(values, from, y);
      }
    }
  }

  /** The same streams for another owner. */
  Streams retain() {
    return new Streams(first.retain(), second.retain());
  }

  /** The first stream, borrowed. */
  public Tensor first() {
    return first;
  }

  /** The second stream, borrowed. */
  public Tensor second() {
    return second;
  }

  /** The first stream, as a copy if a layer keeps it: it may be written to. */
  Tensor ownFirst() {
    return first = first.exclusive();
  }

  /** The second stream, as a copy if a layer keeps it: it may be written to. */
  Tensor ownSecond() {
    return second = second.exclusive();
  }

  /** Puts another tensor in place of the first one, which is released. */
  void replaceFirst(Tensor x) {
    first.close();
    first = x;
  }

  /** Puts another tensor in place of the second one, which is released. */
  void replaceSecond(Tensor x) {
    second.close();
    second = x;
  }

  @Override
  public void close() {
    first.close();
    second.close();
  }
}
