package slimvox.step;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.loss.Classifier;
import slimvox.loss.Distillation;
import slimvox.nn.Parameter;
import slimvox.optim.UpdateTime;

/** Results that each step waits for: what is not finite is found before it changes anything. */
final class AwaitedResults implements PendingResults {
  /** Thrown out of a step whose loss is not finite. */
  static final class LossNotFinite extends RuntimeException {
    LossNotFinite(double loss) {
      super("the loss is " + loss);
    }
  }

  private static final Classifier.Result NONE = new Classifier.Result(0, 0, 0);

  private final Operations ops;
  private final UpdateTime update;
  private final List<TrainingStep.Result> results = new ArrayList<>();
  private Classifier.Result classified = NONE; // stays so without a classifier
  private double loss;

  AwaitedResults(Operations ops, UpdateTime update) {
    this.ops = ops;
    this.update = update;
  }

  @Override
  public void classify(
      Classifier classifier,
      Distillation distillation,
      Tensor embedding,
      Tensor labels,
      double margin) {
    classified = classifier.forward(embedding, labels, margin);
    loss = classified.loss();
    if (distillation != null) loss += distillation.forward(embedding);
    if (!Double.isFinite(loss)) throw new LossNotFinite(loss);
  }

  @Override
  public void gradients(List<Parameter> complete) {
    int first = ops.elementwise.firstNotFinite(complete.stream().map(Parameter::gradient).toList());
    if (first >= 0) throw NonFiniteException.inGradient(complete.get(first).name(), update);
  }

  @Override
  public void end(int[] labels, long forward, long backward, long optimizer) {
    results.add(
        new TrainingStep.Result(
            loss,
            classified.accuracy(),
            classified.accuracyWithoutMargin(),
            forward,
            backward,
            optimizer));
  }

  @Override
  public List<TrainingStep.Result> read() {
    List<TrainingStep.Result> taken = List.copyOf(results);
    results.clear();
    return taken;
  }
}
