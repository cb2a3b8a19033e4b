package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.step.NonFiniteException;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;
import slimvox.storage.InputException;

/** Steps whose results stay on the card: what is waited for, and how faults are found later. */
class QueuedStepsTest {
  private static final int BINS = 24;
  private static final int FRAMES = 17;
  private static final int[] LABELS = {0, 3, 1};

  private static final ModelSpec SPEC =
      ModelSpec.of("ResNet18", "width=4", "bins=" + BINS, "embeddingSize=8")
          .with("reversible=full", "units=a")
          .with("rebuild=true", "streams=fixed");

  private static float[] features() {
    SplittableRandom random = new SplittableRandom(7);
    float[] values = new float[LABELS.length * BINS * FRAMES];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  /** A step that learns from a teacher, so that everything a step can leave is there. */
  private static Function<Backend, TrainingStep> step(UpdateTime update, double scale) {
    return b -> {
      TrainingStep step =
          new TrainingStep(
              Models.build(SPEC, b),
              new AamSoftmax(b, SPEC.embeddingSize(), 5, scale),
              (c, parameters) ->
                  new Sgd(c, parameters, 0.9, 0, 1e-4, true, OptimizerStateFormat.FLOAT32),
              update);
      step.learnFrom(Models.build(SPEC, b), 0.5);
      return step;
    };
  }

  private static void initialize(PlannedTraining training) {
    training.step().initialize(new SplittableRandom(1));
    training.step().teacher().initialize(new SplittableRandom(2));
  }

  @ParameterizedTest
  @EnumSource
  void theCardIsWaitedForWhenResultsAreReadAndNeverWithinAStep(UpdateTime update) {
    HostDevice host = new HostDevice(false);
    try (Backend cuda = new Backend(host.device(false));
        PlannedTraining training = new PlannedTraining(cuda, step(update, 32))) {
      initialize(training);
      training.readEvery(4, LABELS.length);
      for (int window = 0; window < 2; window++) {
        int before = host.downloads();
        for (int i = 0; i < 4; i++) training.queue(features(), LABELS, 0.2, 0.01, null);
        assertEquals(before, host.downloads());
        assertEquals(4, training.results().size());
      }
      assertEquals(8, training.step().optimizer().steps());
    }
  }

  @Test
  void aLossThatIsNotFiniteIsNamedWithItsStepAfterTheResultsBeforeIt() {
    try (Backend cuda = new Backend(HostDevice.open(false));
        PlannedTraining training = new PlannedTraining(cuda, step(UpdateTime.AFTER_BACKWARD, 32))) {
      initialize(training);
      training.readEvery(3, LABELS.length);
      float[] bad = features();
      bad[17] = Float.NaN;
      training.queue(features(), LABELS, 0.2, 0.01, null);
      training.queue(bad, LABELS, 0.2, 0.01, null);
      training.queue(features(), LABELS, 0.2, 0.01, null);
      assertEquals(1, training.results().size());
      var e = assertThrows(NonFiniteException.class, training::results);
      assertEquals(
          "the loss of step 2 is NaN; it was seen after step 3, parameters have changed: resume"
              + " from the last checkpoint, with run.lossEvery=1 to have the layer named. Lower the"
              + " learning rate or look at the features",
          e.getMessage());
      assertThrows(
          NonFiniteException.class, () -> training.queue(features(), LABELS, 0.2, 0.01, null));
    }
  }

  @Test
  void aGradientThatIsNotFiniteIsNamedWithItsStep() {
    try (Backend cuda = new Backend(HostDevice.open(false));
        PlannedTraining training = new PlannedTraining(cuda, step(UpdateTime.IN_BACKWARD, 1e38))) {
      initialize(training);
      // Class vectors so short and a scale so large that the loss is finite, its gradient not.
      Tensor classes = training.step().state().parameters().get("projection.weight").value();
      float[] shorter = cuda.ops().floats(classes);
      for (int i = 0; i < shorter.length; i++) shorter[i] *= 1e-6f;
      cuda.ops().upload(shorter, classes);
      training.readEvery(2, LABELS.length);
      training.queue(features(), LABELS, 0, 0.01, null);
      var e = assertThrows(NonFiniteException.class, training::results);
      String text = e.getMessage();
      assertTrue(
          text.startsWith(
              "the gradient of projection.weight in step 1 is not finite; it was seen after step"
                  + " 1,"),
          text);
    }
  }

  @Test
  void aStreamThatLeavesFixedPointIsNamedWithItsStep() {
    try (Backend cuda = new Backend(HostDevice.open(false));
        PlannedTraining training = new PlannedTraining(cuda, step(UpdateTime.AFTER_BACKWARD, 32))) {
      initialize(training);
      Tensor weight = training.step().state().parameters().get("bn1.weight").value();
      cuda.ops().elementwise.fill(weight, 1e4f);
      training.readEvery(2, LABELS.length);
      training.queue(features(), LABELS, 0, 0.01, null);
      var e = assertThrows(InputException.class, training::results);
      assertEquals("step 1: a stream reached ", e.getMessage().substring(0, 25), e.getMessage());
    }
  }
}
