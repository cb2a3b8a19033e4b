package slimvox.nn;

/** A stage of a {@link ReversibleSequence}: its input can be computed from its output. */
public interface Reversible extends Stateful {
  /**
   * Turns the streams into the stage's output.
   *
   * @param mode {@link Mode#TRAIN_WITHOUT_KEEPING}; {@link Mode#TRAIN}, where the stage keeps what
   *     backward needs and nothing will be rebuilt; {@link Mode#CALIBRATE}; or {@link
   *     Mode#EVALUATE}
   */
  void forward(Streams x, Mode mode);

  /**
   * Undoes a forward in {@link Mode#TRAIN_WITHOUT_KEEPING}: {@code y} becomes the stage's input
   * again and {@code dy}, the gradient of the output, that of the input; parameters' gradients are
   * added to. After a forward in {@link Mode#TRAIN} only {@code dy} changes.
   */
  void backward(Streams y, Streams dy);
}
