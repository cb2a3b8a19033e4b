package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * The weight of a convolution that is not trained any more, kept a second time in the layout that
 * the device reads, so that it is brought into it once and not at each call.
 *
 * <p>That layout depends on the convolution's geometry: the latest that {@link #prepare} was told
 * is served, others get the weight as it is. The results are the same bits either way.
 */
public final class PrepackedWeight implements AutoCloseable {
  private final Backend backend;
  private final Tensor weight;
  private Convolution latest;
  private Convolution geometry; // whose layout it has
  private Tensor prepacked; // null: the device reads the weight as it is

  PrepackedWeight(Backend backend, Tensor weight) {
    this.backend = backend;
    this.weight = weight;
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
    if (geometry == null || !convolutions.sameLayout(geometry, g)) {
      convolutions.prepack(g, weight, prepacked);
    }
    geometry = g;
  }

  private boolean isFor(Convolution g) {
    return prepacked != null && g.equals(geometry);
  }

  void convolve(Convolution g, Tensor x, Tensor y) {
    latest = g;
    if (isFor(g)) {
      backend.ops().convolutions.forwardPrepacked(g, x, prepacked, y);
    } else {
      backend.ops().convolutions.forward(g, x, weight, y);
    }
  }

  @Override
  public void close() {
    if (prepacked != null) prepacked.close();
    prepacked = null;
    geometry = null;
  }
}
