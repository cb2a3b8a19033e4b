package slimvox.step;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.nn.Parameter;
import slimvox.optim.Adam;
import slimvox.optim.Optimizer;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.recipe.LossSettings;
import slimvox.recipe.OptimizerSettings;
import slimvox.recipe.Recipe;
import slimvox.recipe.TransferSettings;

/** Builds training steps of any network, all with the same classifier and update rule. */
@FunctionalInterface
public interface StepBuilder {
  /**
   * Builds a step.
   *
   * @throws slimvox.storage.InputException if there is no such network
   */
  TrainingStep build(ModelSpec model, UpdateTime update, Backend backend);

  /** The classifier, update rule and teacher of a recipe, whatever its network. */
  static StepBuilder of(Recipe recipe, int classes) {
    TransferSettings transfer = recipe.transfer();
    ModelSpec teacher =
        transfer.teacher() == null
            ? null
            : CheckpointFile.teacherSpec(transfer.teacherFile(), recipe);
    return (model, update, backend) ->
        backend.owning(
            () -> {
              TrainingStep step =
                  new TrainingStep(
                      Models.build(model, backend).withActivations(recipe.run().activations()),
                      classes == 0 ? null : classifier(recipe.loss(), backend, model, classes),
                      (b, parameters) -> optimizer(recipe.optimizer(), b, parameters),
                      update);
              if (teacher != null) {
                step.learnFrom(Models.build(teacher, backend), transfer.teacherWeight());
              }
              return step;
            });
  }

  private static AamSoftmax classifier(
      LossSettings loss, Backend backend, ModelSpec model, int classes) {
    return new AamSoftmax(backend, model.embeddingSize(), classes, loss.scale(), loss.easyMargin());
  }

  /** The optimizer of a recipe, for parameters. */
  static Optimizer optimizer(OptimizerSettings o, Backend backend, List<Parameter> parameters) {
    if (o.name() == OptimizerSettings.Rule.SGD) {
      return new Sgd(
          backend, parameters, o.momentum(), 0, o.weightDecay(), o.nesterov(), o.state());
    }
    return new Adam(
        backend,
        parameters,
        o.betas().get(0),
        o.betas().get(1),
        o.epsilon(),
        o.weightDecay(),
        o.name() == OptimizerSettings.Rule.ADAMW,
        o.state());
  }
}
