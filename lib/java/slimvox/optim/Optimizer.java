package slimvox.optim;

import java.util.List;
import slimvox.nn.Parameter;

/**
 * Moves parameters along their gradients, in place, one step at a time.
 *
 * <p>A step is {@link #begin}, {@link #update} of each parameter in any order, {@link #end}; the
 * order does not change the bits. {@link #step} does all three.
 */
public interface Optimizer extends AutoCloseable {
  /**
   * One step on all parameters that have a gradient.
   *
   * @param learningRate of this step, from a {@link LearningRate}
   */
  default void step(double learningRate) {
    begin(learningRate);
    for (Parameter p : parameters()) if (p.hasGradient()) update(p);
    end();
  }

  /** What it was built for. */
  List<Parameter> parameters();

  /** Begins a step; one that was begun and not ended is forgotten. */
  void begin(double learningRate);

  /** Moves one of the {@link #parameters}, which has a gradient; once a step. */
  void update(Parameter parameter);

  /** Ends the step, which counts from now on. */
  void end();

  /** The state of all parameters, in their order. */
  List<StateTensor> state();

  /** Number of steps taken. */
  long steps();

  /** Continues after this many steps, once {@link #state()} has been filled. */
  void restore(long steps);

  @Override
  void close();
}
