package slimvox.backend.cpu.onednn;

import slimvox.backend.Convolution;

/** The gradient of a convolution of fixed geometry for its weight. */
sealed interface WeightGradientPass extends Operation
    permits DirectWeightGradient, GatheredProduct {
  /** The faster way for a geometry. */
  static WeightGradientPass of(OneDnn library, Convolution geometry) {
    return Taps.favourGathering(geometry)
        ? new GatheredProduct(library, geometry)
        : new DirectWeightGradient(library, geometry);
  }

  /** dweight = (dweight +) x correlated with dy, at these addresses. */
  void run(long stream, long x, long dy, long dweight, boolean accumulate, long workspace);
}
