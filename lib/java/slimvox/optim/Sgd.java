package slimvox.optim;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Parameter;

/**
 * Stochastic gradient descent with momentum, Nesterov momentum and weight decay.
 *
 * <p>g = gradient + weightDecay p; b = momentum b + (1 - dampening) g (b = g in the first step); p
 * -= learningRate (nesterov ? g + momentum b : b). PyTorch's rule (Sutskever et al. 2013), which
 * differs from the paper's by applying the learning rate after the momentum. State: 4 bytes a
 * parameter, none without momentum.
 */
public final class Sgd implements Optimizer {
  private final List<Parameter> parameters;
  private final float momentum;
  private final float dampening;
  private final float weightDecay;
  private final boolean nesterov;
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();
  private SgdStep step;
  private long steps;

  /**
   * An optimizer of {@code parameters}.
   *
   * @throws IllegalArgumentException if Nesterov is asked for without momentum or with dampening
   */
  public Sgd(
      Backend backend,
      List<Parameter> parameters,
      double momentum,
      double dampening,
      double weightDecay,
      boolean nesterov) {
    if (nesterov && (momentum <= 0 || dampening != 0)) {
      throw new IllegalArgumentException("Nesterov needs a momentum above 0 and no dampening");
    }
    this.parameters = List.copyOf(parameters);
    this.momentum = (float) momentum;
    this.dampening = (float) dampening;
    this.weightDecay = (float) weightDecay;
    this.nesterov = nesterov;
    if (momentum == 0) return;
    for (Parameter p : parameters) {
      String name = p.name() + ".momentum";
      Tensor buffer = backend.allocateLike(p.value(), Category.OPTIMIZER_STATE, name);
      backend.ops().fill(buffer, 0);
      buffers.put(name, buffer);
    }
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public void begin(double learningRate) {
    step =
        new SgdStep((float) learningRate, momentum, dampening, weightDecay, nesterov, steps == 0);
  }

  @Override
  public void update(Parameter p) {
    Tensor buffer = buffers.get(p.name() + ".momentum");
    p.value().backend().ops().sgd(step, p.gradient(), p.value(), buffer);
  }

  @Override
  public void end() {
    steps++;
  }

  @Override
  public Map<String, Tensor> state() {
    return buffers;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public void restore(long steps) {
    this.steps = steps;
  }

  @Override
  public void close() {
    buffers.values().forEach(Tensor::close);
  }
}
