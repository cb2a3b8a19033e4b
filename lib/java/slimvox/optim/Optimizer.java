package slimvox.optim;

import java.util.Map;
import slimvox.backend.Tensor;

/** Moves parameters along their gradients, in place, one step at a time. */
public interface Optimizer extends AutoCloseable {
  /**
   * One step on all parameters that have a gradient.
   *
   * @param learningRate of this step, from a {@link LearningRate}
   */
  void step(double learningRate);

  /** The state by name, for example {@code conv1.weight.momentum}, in the parameters' order. */
  Map<String, Tensor> state();

  /** Number of steps taken. */
  long steps();

  /** Continues after this many steps, once {@link #state()} has been filled. */
  void restore(long steps);

  @Override
  void close();
}
