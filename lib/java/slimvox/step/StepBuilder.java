package slimvox.step;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.loss.AamSoftmax;
import slimvox.loss.Classifier;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.optim.Adam;
import slimvox.optim.Optimizer;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.recipe.LossSettings;
import slimvox.recipe.OptimizerSettings;
import slimvox.recipe.Recipe;
import slimvox.recipe.TransferSettings;
import slimvox.storage.InputException;

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

  private static Classifier classifier(
      LossSettings loss, Backend backend, ModelSpec model, int classes) {
    int size = model.embeddingSize();
    if (loss.name().equals("aam-softmax")) {
      return new AamSoftmax(backend, size, classes, loss.scale()).easyMargin(loss.easyMargin());
    }
    Classifier made = Classifier.REGISTRY.get(loss.name()).of(backend, size, classes, loss.scale());
    for (String name : StateDict.of(made).names()) {
      if (name.startsWith(CheckpointFile.CLASSIFIER)) continue;
      throw InputException.of(
          "the loss %s calls a part of it %s; begin its name with %s, which keeps it apart from the"
              + " network's",
          loss.name(), name, CheckpointFile.CLASSIFIER);
    }
    return made;
  }

  /**
   * An optimizer from settings, defaults where none is given: {@code optimizer(backend, parameters,
   * "optimizer.name=adamw", "optimizer.learningRate.initial=0.01")}.
   *
   * @throws InputException if a setting cannot be used
   */
  static Optimizer optimizer(Backend backend, List<Parameter> parameters, String... settings) {
    return optimizer(Recipe.defaults().with(settings).optimizer(), backend, parameters);
  }

  /** The optimizer of a recipe, for parameters. */
  static Optimizer optimizer(OptimizerSettings o, Backend backend, List<Parameter> parameters) {
    return switch (o.name()) {
      case "sgd" ->
          new Sgd(backend, parameters, o.momentum(), 0, o.weightDecay(), o.nesterov(), o.state());
      case "adam", "adamw" ->
          new Adam(
              backend,
              parameters,
              o.betas().get(0),
              o.betas().get(1),
              o.epsilon(),
              o.weightDecay(),
              o.name().equals("adamw"),
              o.state());
      default ->
          Optimizer.REGISTRY.get(o.name()).of(backend, parameters, o.weightDecay(), o.state());
    };
  }
}
