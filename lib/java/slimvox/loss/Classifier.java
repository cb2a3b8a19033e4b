package slimvox.loss;

import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Stateful;
import slimvox.settings.Registry;

/**
 * A loss over K speakers with its parameters: what a network is trained with, and not part of it.
 *
 * <p>One of one's own is registered, and named in recipes by {@code loss.name}: {@code
 * Classifier.register("my-loss", MyLoss::new)}. Names of its parameters begin with {@code
 * projection.}, which keeps them apart from the network's in checkpoints. A loss without margin or
 * scale leaves them unused.
 */
public interface Classifier extends Stateful {
  /**
   * What one batch gave.
   *
   * @param loss mean cross entropy, natural logarithm
   * @param accuracy share of the batch whose label has the largest logit, margin included
   * @param accuracyWithoutMargin share whose label has the largest cosine
   */
  record Result(double loss, double accuracy, double accuracyWithoutMargin) {
    /** The result from what {@link Unread} holds. */
    public static Result of(float[] losses, int[] best, int[] bestWithoutMargin, int[] labels) {
      double sum = 0;
      for (float l : losses) sum += l;
      return new Result(sum / losses.length, share(best, labels), share(bestWithoutMargin, labels));
    }

    private static double share(int[] best, int[] labels) {
      int right = 0;
      for (int i = 0; i < best.length; i++) if (best[i] == labels[i]) right++;
      return (double) right / best.length;
    }
  }

  /**
   * What a result is computed from, on the device; one number an utterance each.
   *
   * @param losses cross entropy, float32
   * @param best class of the largest logit, margin included, int32
   * @param bestWithoutMargin class of the largest cosine, int32
   */
  record Unread(Tensor losses, Tensor best, Tensor bestWithoutMargin) {}

  /** Makes a classifier. */
  @FunctionalInterface
  interface Factory {
    /** A classifier whose parameters are not initialized; the scale is {@code loss.scale}. */
    Classifier of(Backend backend, int embeddingSize, int classes, double scale);
  }

  /** The losses that {@code loss.name} may name. */
  Registry<Factory> REGISTRY = new Registry<>("loss.name", "Classifier.register", "aam-softmax");

  /** Makes a loss known to recipes of this process; the name of one that ships is refused. */
  static void register(String name, Factory factory) {
    REGISTRY.register(name, factory);
  }

  /**
   * Loss and accuracies, waiting for them; keeps what backward needs.
   *
   * @param x embeddings N x E, borrowed
   * @param labels int32, N, borrowed
   * @param margin m in radians
   */
  default Result forward(Tensor x, Tensor labels, double margin) {
    Backend backend = x.backend();
    Operations ops = backend.ops();
    Shape batch = Shape.of(x.shape().get(0));
    Category workspace = Category.ACTIVATION;
    DataType index = DataType.INT32;
    try (Tensor losses = backend.allocate(workspace, "projection.loss", DataType.FLOAT32, batch);
        Tensor best = backend.allocate(workspace, "projection.best", index, batch);
        Tensor plain = backend.allocate(workspace, "projection.best_plain", index, batch)) {
      forward(x, labels, margin, new Unread(losses, best, plain));
      return Result.of(ops.floats(losses), ops.ints(best), ops.ints(plain), ops.ints(labels));
    }
  }

  /** The same without waiting: what the result is computed from is written to {@code unread}. */
  void forward(Tensor x, Tensor labels, double margin, Unread unread);

  /**
   * The gradient of the mean loss by the embeddings, N x E; that by the parameters is added to
   * theirs, see {@link slimvox.nn.Parameter#gradient}.
   */
  Tensor backward();
}
