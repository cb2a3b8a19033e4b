package slimvox.cli;

import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import slimvox.backend.Backend;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.nn.Parameter;
import slimvox.optim.Adam;
import slimvox.optim.Optimizer;
import slimvox.optim.Sgd;
import slimvox.optim.StateFormat;
import slimvox.optim.UpdateTime;
import slimvox.step.TrainingStep;

/** Options of one training step whose memory or speed is asked for. */
public final class StepOptions {
  /** The update rules; settings other than the learning rate do not change bytes or time. */
  public enum Rule {
    SGD,
    ADAM,
    ADAMW;

    /** Builds it. */
    public Optimizer build(Backend backend, List<Parameter> parameters, StateFormat format) {
      return switch (this) {
        case SGD -> new Sgd(backend, parameters, 0.9, 0, 1e-4, true, format);
        case ADAM, ADAMW ->
            new Adam(backend, parameters, 0.9, 0.999, 1e-8, 1e-4, this == ADAMW, format);
      };
    }
  }

  /** Reads {@code after-backward} and {@code in-backward}. */
  static final class UpdateConverter implements ITypeConverter<UpdateTime> {
    @Override
    public UpdateTime convert(String text) {
      for (UpdateTime u : UpdateTime.values()) {
        if (u.key().equals(text)) return u;
      }
      throw new TypeConversionException(
          "'" + text + "' is not possible; give after-backward or in-backward");
    }
  }

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Utterances of a step. Default ${DEFAULT-VALUE}.")
  public int batch = 32;

  @Option(
      names = "--frames",
      paramLabel = "T",
      description = "Frames of an utterance, 10 ms each. Default ${DEFAULT-VALUE}.")
  public int frames = 200;

  @Option(
      names = "--classes",
      paramLabel = "K",
      description =
          "Speakers that the classifier tells apart; 0 leaves it out. Default ${DEFAULT-VALUE},"
              + " as in VoxCeleb2.")
  public int classes = 5994;

  @Option(
      names = "--optimizer",
      paramLabel = "RULE",
      description = "sgd (with momentum), adam or adamw. Default sgd.")
  public Rule optimizer = Rule.SGD;

  @Mixin public StateOptions state;

  @Option(
      names = "--update",
      paramLabel = "WHEN",
      converter = UpdateConverter.class,
      description =
          "after-backward, or in-backward: each parameter as soon as its gradient is complete, so"
              + " that the gradients of one layer exist at a time. Default after-backward.")
  public UpdateTime update = UpdateTime.AFTER_BACKWARD;

  /** Refuses sizes that no step has. */
  void check(Subcommand command) {
    command.range("--batch", batch, 1, 1 << 20);
    command.range("--frames", frames, 1, 1 << 20);
    command.range("--classes", classes, 0, 100_000_000);
    state.check(command);
  }

  /** Number of feature values of a batch. */
  public int featureCount(Subcommand command, ModelSpec model) {
    check(command);
    long count = (long) batch * frames * model.bins();
    if (count > Integer.MAX_VALUE - 8) {
      throw command.usage(
          "--batch %d of %d frames x %d bins is more than a Java array holds; make one smaller"
              .formatted(batch, frames, model.bins()));
    }
    return (int) count;
  }

  /** Builds the step on a backend. */
  public TrainingStep build(ModelSpec model, Backend backend) {
    return build(model, update, backend);
  }

  /** Builds the step on a backend, with another time of updates. */
  TrainingStep build(ModelSpec model, UpdateTime update, Backend backend) {
    AamSoftmax classifier =
        classes == 0 ? null : new AamSoftmax(backend, model.embeddingSize(), classes, 32, false);
    return new TrainingStep(Models.build(model, backend), classifier, this::optimizer, update);
  }

  private Optimizer optimizer(Backend backend, List<Parameter> parameters) {
    return optimizer.build(backend, parameters, state.format());
  }
}
