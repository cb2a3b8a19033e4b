package slimvox.nn;

import java.util.List;
import java.util.random.RandomGenerator;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Reversible stages one after the other: only the last output is kept, however many there are.
 *
 * <p>The input's channels are cut into two streams. Backward starts from the kept output, rebuilds
 * the input of one stage after the other and differentiates each on the way, so that at any time
 * one stage's inside and two pairs of streams are in memory. Running statistics move once, in
 * forward; batch statistics are kept, 8 bytes a channel, and used again.
 *
 * <p>Source: Gomez et al. 2017, arXiv 1707.04585.
 */
public final class ReversibleSequence implements Layer {
  private final String name;
  private final List<Reversible> stages;
  private Tensor output;

  public ReversibleSequence(String name, List<? extends Reversible> stages) {
    this.name = name;
    this.stages = List.copyOf(stages);
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (mode == Mode.RECOMPUTE) {
      throw new IllegalArgumentException(
          name
              + ": a reversible sequence rebuilds itself; it cannot be part of what is recomputed");
    }
    Streams streams = Streams.split(x, Category.ACTIVATION, name);
    Mode inside = mode == Mode.TRAIN ? Mode.TRAIN_WITHOUT_KEEPING : mode;
    for (Reversible stage : stages) stage.forward(streams, inside);
    Tensor y = streams.join(name + ".out");
    if (mode.keeps()) output = y.retain();
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    try (Streams y = Streams.split(output, Category.ACTIVATION, name)) {
      output.close();
      Streams gradient = Streams.split(dy, Category.ACTIVATION_GRADIENT, name + ".grad");
      dy.close();
      for (Reversible stage : stages.reversed()) stage.backward(y, gradient);
      return gradient.join(name + ".din");
    }
  }

  @Override
  public void describe(State state) {
    for (Reversible stage : stages) stage.describe(state);
  }

  @Override
  public void initialize(RandomGenerator random) {
    for (Reversible stage : stages) stage.initialize(random);
  }

  @Override
  public void close() {
    for (Reversible stage : stages) stage.close();
  }
}
