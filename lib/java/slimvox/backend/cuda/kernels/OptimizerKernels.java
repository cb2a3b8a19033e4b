package slimvox.backend.cuda.kernels;

import slimvox.backend.AdamStep;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/optimizer.cu; what depends on the step only is calculated here. */
public final class OptimizerKernels {
  private final Launcher launcher;

  public OptimizerKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    Grid grid = ElementwiseKernels.fours(parameter.size());
    if (momentumBuffer == null) {
      launcher.launch(
          "sgd",
          grid,
          0,
          gradient.address(),
          parameter.address(),
          step.weightDecay(),
          -step.learningRate(),
          parameter.size());
      return;
    }
    launcher.launch(
        "sgd_momentum",
        grid,
        0,
        gradient.address(),
        parameter.address(),
        momentumBuffer.address(),
        step.weightDecay(),
        -step.learningRate(),
        step.momentum(),
        (float) (1.0 - step.dampening()),
        step.nesterov() ? 1f : 0f,
        step.nesterov() ? step.momentum() : 1f,
        step.first() ? 1 : 0,
        parameter.size());
  }

  /** What a step of Adam multiplies with, the same for every element. */
  record AdamNumbers(
      float keep,
      float add,
      float fresh1,
      float beta2,
      float fresh2,
      float rate,
      float correction,
      float epsilon) {
    static AdamNumbers of(AdamStep step) {
      double decay = step.weightDecay();
      return new AdamNumbers(
          (float) (step.decoupled() ? 1 - step.learningRate() * decay : 1),
          (float) (step.decoupled() ? 0 : decay),
          (float) (1 - step.beta1()),
          (float) step.beta2(),
          (float) (1 - step.beta2()),
          (float) (-step.learningRate() / (1 - Math.pow(step.beta1(), step.step()))),
          (float) (1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step()))),
          (float) step.epsilon());
    }
  }

  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    AdamNumbers a = AdamNumbers.of(step);
    launcher.launch(
        "adam",
        ElementwiseKernels.fours(parameter.size()),
        0,
        gradient.address(),
        parameter.address(),
        mean.address(),
        square.address(),
        a.keep(),
        a.add(),
        a.fresh1(),
        a.beta2(),
        a.fresh2(),
        a.rate(),
        a.correction(),
        a.epsilon(),
        parameter.size());
  }
}
