package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
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
   * @throws IllegalArgumentException if the number of channels is odd
   */
  static Streams split(Tensor x, Category category, String label) {
    int[] lengths = x.shape().toArray();
    int channels = lengths[lengths.length - 1];
    if (channels % 2 != 0) {
      throw new IllegalArgumentException(
          label + ": " + channels + " channels cannot be cut into two streams");
    }
    lengths[lengths.length - 1] = channels / 2;
    Backend backend = x.backend();
    Tensor first = backend.allocate(category, label + ".1", lengths);
    backend.ops().rearrangement.sliceChannels(x, 0, first);
    Tensor second = backend.allocate(category, label + ".2", lengths);
    backend.ops().rearrangement.sliceChannels(x, channels / 2, second);
    return new Streams(first, second);
  }

  /** Two copies of {@code x}, which is borrowed. */
  static Streams twins(Tensor x, Category category, String label) {
    Tensor first = x.backend().allocateLike(x, category, label + ".1");
    x.backend().ops().elementwise.copy(x, first);
    Tensor second = x.backend().allocateLike(x, category, label + ".2");
    x.backend().ops().elementwise.copy(x, second);
    return new Streams(first, second);
  }

  /** The sum of both streams as a new tensor; they stay. */
  Tensor sum(String label) {
    Tensor y = first.backend().allocateLike(first, first.category(), label);
    first.backend().ops().elementwise.copy(first, y);
    first.backend().ops().elementwise.axpy(1, second, y);
    return y;
  }

  /** Both streams as one tensor; they are released. */
  Tensor join(String label) {
    int[] lengths = first.shape().toArray();
    int channels = lengths[lengths.length - 1];
    lengths[lengths.length - 1] = 2 * channels;
    Tensor y = first.backend().allocate(first.category(), label, lengths);
    Operations ops = first.backend().ops();
    ops.rearrangement.writeChannels(first, 0, y);
    first.close();
    ops.rearrangement.writeChannels(second, channels, y);
    second.close();
    return y;
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
