package slimvox.study;

import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.Adam;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.step.TrainingStep;

/**
 * Bytes of optimizer state of a whole network, from the ledger of a dry backend: nothing is
 * computed.
 *
 * @param full with state of 32 bits
 * @param quantized in the format asked for
 */
public record StateBytes(long full, long quantized) {

  /** The share that the format saves, in percent. */
  public double savedPercent() {
    return 100.0 * (full - quantized) / full;
  }

  /** Counts: of a classifier of classes, or 0 for none; of Adam's two moments or SGD's momentum. */
  public static StateBytes of(
      ModelSpec spec, int classes, boolean adam, OptimizerStateFormat format) {
    return new StateBytes(
        bytes(spec, classes, adam, OptimizerStateFormat.FLOAT32),
        bytes(spec, classes, adam, format));
  }

  private static long bytes(
      ModelSpec spec, int classes, boolean adam, OptimizerStateFormat format) {
    try (Backend dry = new Backend(new DryDevice());
        TrainingStep step =
            new TrainingStep(
                Models.build(spec, dry),
                classes == 0 ? null : new AamSoftmax(dry, spec.embeddingSize(), classes, 32),
                (backend, parameters) ->
                    adam
                        ? new Adam(backend, parameters, 0.9, 0.999, 1e-8, 0, true, format)
                        : new Sgd(backend, parameters, 0.9, 0, 0, true, format))) {
      return step.network().backend().ledger().bytes(Category.OPTIMIZER_STATE);
    }
  }
}
