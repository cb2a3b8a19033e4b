package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;
import slimvox.backend.Convolution;

/** The gradient of a convolution of fixed geometry for its weight. */
sealed interface WeightGradientPass extends Operation
    permits DirectWeightGradient, GatheredProduct {
  /** The faster way for a geometry. */
  static WeightGradientPass of(OneDnn library, Convolution geometry) {
    return Taps.gatheringIsFaster(geometry)
        ? new GatheredProduct(library, geometry)
        : new DirectWeightGradient(library, geometry);
  }

  /** dweight = (dweight +) x correlated with dy, at these addresses. */
  void run(long stream, long x, long dy, long dweight, boolean accumulate, long workspace);

  /** From the layout that a pass writes to the parameter's, in place of it or added to it. */
  record Reorders(Primitive replacing, Primitive adding) {
    long scratchpadBytes() {
      return Math.max(replacing.scratchpadBytes(), adding.scratchpadBytes());
    }

    void run(long stream, long from, long to, boolean accumulate, long scratchpad) {
      (accumulate ? adding : replacing).run(stream, scratchpad, from, to);
    }

    Stream<Primitive> primitives() {
      return Stream.of(replacing, adding);
    }
  }
}
