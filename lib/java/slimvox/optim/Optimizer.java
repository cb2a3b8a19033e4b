package slimvox.optim;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.nn.Parameter;
import slimvox.settings.Registry;

/**
 * Moves parameters along their gradients, in place, one step at a time.
 *
 * <p>A step is {@link #begin}, {@link #update} of each parameter in any order, {@link #end}; the
 * order does not change the bits. {@link #step} does all three.
 *
 * <p>A rule of one's own is registered, and named in recipes by {@code optimizer.name}: {@code
 * Optimizer.register("lion", Lion::new)}. What it remembers is in {@link OptimizerState}s, which
 * are counted, checkpointed and held in 8 bits as asked for.
 */
public abstract class Optimizer implements AutoCloseable {
  /** Makes an optimizer. */
  @FunctionalInterface
  public interface Factory {
    /** An optimizer of {@code parameters} with the recipe's weight decay and format of state. */
    Optimizer of(
        Backend backend,
        List<Parameter> parameters,
        double weightDecay,
        OptimizerStateFormat format);
  }

  /** The rules that {@code optimizer.name} may name. */
  public static final Registry<Factory> REGISTRY =
      new Registry<>("optimizer.name", "Optimizer.register", "sgd", "adam", "adamw");

  private final List<Parameter> parameters;
  private long steps;

  /** Makes a rule known to recipes of this process; the name of one that ships is refused. */
  public static void register(String name, Factory factory) {
    REGISTRY.register(name, factory);
  }

  /** An optimizer of {@code parameters} that has taken no step. */
  protected Optimizer(List<Parameter> parameters) {
    this.parameters = List.copyOf(parameters);
  }

  /** One step on all parameters that have a gradient, at the rate of a {@link LearningRate}. */
  public final void step(double learningRate) {
    begin(learningRate);
    for (Parameter p : parameters) if (p.hasGradient()) update(p);
    end();
  }

  /** What it was built for. */
  public final List<Parameter> parameters() {
    return parameters;
  }

  /** Begins a step; one that was begun and not ended is forgotten. */
  public abstract void begin(double learningRate);

  /** Moves one of the {@link #parameters}, which has a gradient; once a step. */
  public abstract void update(Parameter parameter);

  /** Ends the step, which counts from now on. */
  public final void end() {
    steps++;
  }

  /** The state of all parameters, in their order. */
  public abstract List<OptimizerState> state();

  /** Number of steps taken. */
  public final long steps() {
    return steps;
  }

  /** Continues after this many steps, once {@link #state()} has been filled. */
  public final void restore(long steps) {
    this.steps = steps;
  }

  @Override
  public final void close() {
    state().forEach(OptimizerState::close);
  }
}
