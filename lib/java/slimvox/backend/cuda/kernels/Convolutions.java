package slimvox.backend.cuda.kernels;

import slimvox.backend.Convolution;
import slimvox.backend.cuda.libraries.CudnnConvolutions;

/**
 * The three passes of a convolution; {@link TiledConvolutions} is our own, {@link
 * CudnnConvolutions} does some by cuDNN.
 *
 * <p>Addresses are of N, H, W, C activations and O, I, kH, kW weights. The workspace of a pass
 * depends on its geometry and never changes as long as the device is open, so that a step can be
 * planned before anything is launched.
 */
public interface Convolutions {
  /** Scratch bytes of {@link #forward}. */
  long forwardWorkspace(Convolution g);

  /** y = (y +) x * weight. */
  void forward(Convolution g, long x, long weight, long y, boolean add, long workspace);

  /** Scratch bytes of {@link #backwardData}. */
  long backwardDataWorkspace(Convolution g);

  /** dx = dy correlated with the flipped weight. */
  void backwardData(Convolution g, long dy, long weight, long dx, long workspace);

  /** Scratch bytes of {@link #backwardWeight}. */
  long backwardWeightWorkspace(Convolution g);

  /** dweight = (dweight +) x correlated with dy. */
  void backwardWeight(
      Convolution g, long x, long dy, long dweight, boolean accumulate, long workspace);
}
