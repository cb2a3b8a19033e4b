package slimvox.optim;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.SgdStep;
import slimvox.nn.Parameter;

/**
 * Stochastic gradient descent with momentum, Nesterov momentum and weight decay.
 *
 * <p>g = gradient + weightDecay p; b = momentum b + (1 - dampening) g (b = g in the first step); p
 * -= learningRate (nesterov ? g + momentum b : b). PyTorch's rule (Sutskever et al. 2013), which
 * differs from the paper's by applying the learning rate after the momentum. State: the momentum
 * buffer b, in the {@link OptimizerStateFormat} asked for; none without momentum.
 *
 * <p>With 8 bits the parameter moves along the new b before it is quantized, and Nesterov looks
 * ahead along the same unquantized b: g + momentum b. (bitsandbytes' SGD8bit takes {@code nesterov}
 * and {@code dampening} and ignores both.)
 */
public final class Sgd extends Optimizer {
  private final float momentum;
  private final float dampening;
  private final float weightDecay;
  private final boolean nesterov;
  private final Map<Parameter, OptimizerState> buffers = new LinkedHashMap<>();
  private SgdStep step;

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
      boolean nesterov,
      OptimizerStateFormat format) {
    super(parameters);
    if (nesterov && (momentum <= 0 || dampening != 0)) {
      throw new IllegalArgumentException("Nesterov needs a momentum above 0 and no dampening");
    }
    this.momentum = (float) momentum;
    this.dampening = (float) dampening;
    this.weightDecay = (float) weightDecay;
    this.nesterov = nesterov;
    if (momentum == 0) return;
    for (Parameter p : parameters) {
      buffers.put(p, new OptimizerState(backend, p, "momentum", format, true));
    }
  }

  @Override
  public void begin(double learningRate) {
    step =
        new SgdStep((float) learningRate, momentum, dampening, weightDecay, nesterov, steps() == 0);
  }

  @Override
  public void update(Parameter p) {
    Operations ops = p.value().backend().ops();
    OptimizerState buffer = buffers.get(p);
    if (buffer == null) {
      ops.optimizers.sgd(step, p.gradient(), p.value(), null);
    } else if (buffer.isQuantized()) {
      ops.optimizers.sgdQuantized(step, p.gradient(), p.value(), buffer.quantized());
    } else {
      ops.optimizers.sgd(step, p.gradient(), p.value(), buffer.full());
    }
  }

  @Override
  public List<OptimizerState> state() {
    return List.copyOf(buffers.values());
  }
}
