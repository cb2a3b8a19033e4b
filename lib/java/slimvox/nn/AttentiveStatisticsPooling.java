package slimvox.nn;

import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Rearrangement;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Attentive statistics pooling (ASTP, Okabe et al. 2018, arXiv 1803.10963), WeSpeaker's form.
 *
 * <p>With x N x W x D, D = C H features a frame: alpha = softmax over frames of (W2 tanh(W1 x + b1)
 * + b2), each feature by itself; m = sum alpha x; output N x 2D = (m, sqrt(max(sum alpha x^2 - m^2,
 * 1e-7))). Kept for backward: x, the tanh, alpha and the output, all float32.
 */
public final class AttentiveStatisticsPooling implements Layer {
  private final Backend backend;
  private final Operations ops;
  private final String name;
  private final Linear linear1;
  private final Linear linear2;
  private Shape inputShape;
  private DataType inputType;
  private Tensor frames;
  private Tensor hidden;
  private Tensor alpha;
  private Tensor output;

  /**
   * An attentive pooling.
   *
   * @param features D = channels times frequency rows of the input
   * @param bottleneck width of the attention, WeSpeaker's default is 128
   */
  public AttentiveStatisticsPooling(Backend backend, String name, int features, int bottleneck) {
    this.backend = backend;
    this.ops = backend.ops();
    this.name = name;
    this.linear1 = new Linear(backend, name + ".linear1", features, bottleneck, true);
    this.linear2 = new Linear(backend, name + ".linear2", bottleneck, features, true);
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Shape s = Rearrangement.framesFirstShape(x.shape());
    Tensor f = backend.allocate(Category.ACTIVATION, name + ".frames", s.toArray());
    ops.rearrangement.framesFirst(x, f);
    Tensor h = linear1.forward(f, mode);
    ops.elementwise.tanh(h, h);
    Tensor a = linear2.forward(h, mode);
    ops.pooling.softmaxOverFrames(a, a);
    Tensor out =
        backend.allocate(Category.ACTIVATION, name + ".out", s.get(0), Shape.axis(2L * s.get(2)));
    ops.pooling.weightedStatistics(f, a, StatisticsPooling.FLOOR, out);
    if (mode.keeps()) {
      inputShape = x.shape();
      inputType = x.type();
      frames = f.retain();
      hidden = h.retain();
      alpha = a.retain();
      output = out.retain();
    }
    f.close();
    h.close();
    a.close();
    return out;
  }

  @Override
  public Tensor backward(Tensor dout) {
    Tensor dframes = backend.allocateLike(frames, Category.ACTIVATION_GRADIENT, name + ".dframes");
    Tensor dalpha = backend.allocateLike(alpha, Category.ACTIVATION_GRADIENT, name + ".dalpha");
    ops.pooling.weightedStatisticsBackward(
        frames, alpha, output, StatisticsPooling.FLOOR, dout, dframes, dalpha);
    output.close();
    frames.close();
    dout.close();
    ops.pooling.softmaxOverFramesBackward(alpha, dalpha, dalpha);
    alpha.close();
    Tensor dhidden = linear2.backward(dalpha);
    ops.elementwise.tanhBackward(hidden, dhidden, dhidden);
    hidden.close();
    try (Tensor throughAttention = linear1.backward(dhidden)) {
      ops.elementwise.axpy(1, throughAttention, dframes);
    }
    Tensor dx =
        backend.allocate(Category.ACTIVATION_GRADIENT, name + ".din", inputType, inputShape);
    ops.rearrangement.framesFirstBackward(dframes, dx, false);
    dframes.close();
    return dx;
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(linear1, linear2);
  }
}
