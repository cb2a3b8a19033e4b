package slimvox.optim;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.AdamStep;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Parameter;

/**
 * Adam (Kingma and Ba 2015, arXiv 1412.6980) and AdamW (Loshchilov and Hutter 2019, arXiv
 * 1711.05101).
 *
 * <p>The rule is in {@link AdamStep}: with {@code decoupled} weight decay shrinks the parameter
 * directly (AdamW), else it is added to the gradient (Adam with L2). State: 8 bytes a parameter,
 * the running means of the gradient and of its square.
 */
public final class Adam implements Optimizer {
  private final List<Parameter> parameters;
  private final double beta1;
  private final double beta2;
  private final double epsilon;
  private final double weightDecay;
  private final boolean decoupled;
  private final Map<String, Tensor> moments = new LinkedHashMap<>();
  private AdamStep step;
  private long steps;

  /**
   * An optimizer of {@code parameters}.
   *
   * @param decoupled true for AdamW
   */
  public Adam(
      Backend backend,
      List<Parameter> parameters,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay,
      boolean decoupled) {
    this.parameters = List.copyOf(parameters);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    this.weightDecay = weightDecay;
    this.decoupled = decoupled;
    for (Parameter p : parameters) {
      for (String moment : List.of(".mean", ".square")) {
        String name = p.name() + moment;
        Tensor tensor = backend.allocateLike(p.value(), Category.OPTIMIZER_STATE, name);
        backend.ops().fill(tensor, 0);
        moments.put(name, tensor);
      }
    }
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public void begin(double learningRate) {
    step = new AdamStep(learningRate, beta1, beta2, epsilon, weightDecay, decoupled, steps + 1);
  }

  @Override
  public void update(Parameter p) {
    Tensor mean = moments.get(p.name() + ".mean");
    Tensor square = moments.get(p.name() + ".square");
    p.value().backend().ops().adam(step, p.gradient(), p.value(), mean, square);
  }

  @Override
  public void end() {
    steps++;
  }

  @Override
  public Map<String, Tensor> state() {
    return moments;
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
    moments.values().forEach(Tensor::close);
  }
}
