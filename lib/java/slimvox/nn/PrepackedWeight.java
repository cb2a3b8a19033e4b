package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Convolutions.Epilogue;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * The weight of a convolution that is not trained any more, kept a second time in the layout that
 * the device reads, so that it is brought into it once and not at each call.
 *
 * <p>That layout depends on the convolution's geometry: the latest that {@link #prepare} was told
 * is served, others get the weight as it is.
 *
 * <p>A normalization that alone reads the convolution is folded in where the device has a pass for
 * it: its scale into the filters, its shift as a bias, and with them its residual and its ReLU.
 * Outputs are the same to float32 rounding; without one, the same bits.
 */
public final class PrepackedWeight implements AutoCloseable {
  private final Backend backend;
  private final Tensor weight;
  private final BatchNorm2d norm;
  private final boolean addsResidual;
  private Convolution latest;
  private Convolution geometry; // whose layout it has
  private Tensor prepacked; // null: the device reads the weight as it is
  private Epilogue end; // null: nothing is folded in

  /**
   * @param norm what alone reads the convolution, or null
   * @param addsResidual whether it adds a residual
   */
  PrepackedWeight(Backend backend, Tensor weight, BatchNorm2d norm, boolean addsResidual) {
    this.backend = backend;
    this.weight = weight;
    this.norm = norm;
    this.addsResidual = addsResidual;
  }

  /** The latest convolution; null if there was none. */
  public Convolution latest() {
    return latest;
  }

  /** Lays the weight out for a geometry, unless it is. */
  public void prepare(Convolution g) {
    if (isFor(g)) return;
    Convolutions convolutions = backend.ops().convolutions;
    long bytes = convolutions.prepackedBytes(g);
    if (prepacked == null || prepacked.bytes() != bytes) {
      close();
      if (bytes == 0) return;
      int length = Math.toIntExact(bytes / 4);
      prepacked = backend.allocate(Category.PARAMETER, weight.label() + ".laid_out", length);
      geometry = null;
    }
    boolean folds = norm != null && convolutions.ends(g, addsResidual, norm.hasReLU());
    if (geometry == null || folds != (end != null) || !convolutions.sameLayout(geometry, g)) {
      geometry = null; // until all of it is there
      releaseBias();
      if (folds) fold(g);
      else convolutions.prepack(g, weight, null, null, prepacked);
    }
    geometry = g;
  }

  private void fold(Convolution g) {
    Tensor bias = backend.allocate(Category.PARAMETER, weight.label() + ".bias", g.outChannels());
    end = new Epilogue(bias, addsResidual, norm.hasReLU());
    norm.inEvaluation(c -> backend.ops().convolutions.prepack(g, weight, c, bias, prepacked));
  }

  private void releaseBias() {
    if (end != null) end.bias().close();
    end = null;
  }

  private boolean isFor(Convolution g) {
    return prepacked != null && g.equals(geometry);
  }

  void convolve(Convolution g, Tensor x, Tensor y) {
    latest = g;
    boolean adds = end != null && addsResidual; // which is asked of the method below
    if (!isFor(g) || adds) {
      backend.ops().convolutions.forward(g, x, weight, y);
      return;
    }
    backend.ops().convolutions.forwardPrepacked(g, x, prepacked, end, y);
    if (end != null) norm.applied();
  }

  /** Whether {@link #convolveAndNormalize} is to be called. */
  boolean addsResidual() {
    return addsResidual;
  }

  /** y = act(BN(x * weight) + y). */
  void convolveAndNormalize(Convolution g, Tensor x, Tensor y) {
    latest = g;
    if (isFor(g) && end != null) {
      backend.ops().convolutions.forwardPrepacked(g, x, prepacked, end, y);
      return;
    }
    try (Tensor c = backend.allocateLike(y, Category.ACTIVATION, weight.label() + ".out")) {
      convolve(g, x, c);
      norm.addTo(y, c);
    }
  }

  @Override
  public void close() {
    if (prepacked != null) prepacked.close();
    prepacked = null;
    geometry = null;
    releaseBias();
  }
}
