package slimvox.backend.cpu.onednn;

import slimvox.backend.Convolution;
import slimvox.backend.DataType;

/**
 * A convolution, or its gradient for the input, of fixed geometry.
 *
 * <p>The workspace holds, each aligned to 64 bytes: the weight in the layout that the pass reads,
 * then what laying it out needs, and after that what the pass itself does.
 */
sealed interface ConvolutionPass extends Operation permits DirectConvolution, ShiftedProduct {
  /** y = x * weight, with a y of this type: {@link #run} takes x, weight, y. */
  static ConvolutionPass forward(OneDnn library, Convolution geometry, DataType out) {
    return out == geometry.type()
            && Taps.shiftingIsFaster(geometry, geometry.inChannels(), geometry.outChannels())
        ? new ShiftedProduct(library, geometry, true)
        : DirectConvolution.forward(library, geometry, out, false);
  }

  /** dx = dy correlated with the flipped weight: {@link #run} takes dy, weight, dx. */
  static ConvolutionPass backwardData(OneDnn library, Convolution geometry) {
    return Taps.shiftingIsFaster(geometry, geometry.outChannels(), geometry.inChannels())
        ? new ShiftedProduct(library, geometry, false)
        : DirectConvolution.backwardData(library, geometry);
  }

  @Override
  default long workspaceBytes() {
    long rest = Math.max(prepackWorkspaceBytes(), runPrepackedWorkspaceBytes());
    return Operation.align(prepackedBytes()) + rest;
  }

  /** Runs on tensors at these addresses. */
  default void run(long stream, long input, long weight, long output, long workspace) {
    long rest = workspace + Operation.align(prepackedBytes());
    prepack(stream, weight, workspace, rest);
    runPrepacked(stream, input, workspace, output, rest);
  }

  // ---- the same in two steps

  /** Bytes of a weight in the layout that this pass reads. */
  long prepackedBytes();

  /** Whether a weight laid out for one serves the other. */
  boolean sameLayout(ConvolutionPass other);

  /** From the parameter's layout to the one that this pass reads. */
  Primitive reorder();

  /** Scratch memory of {@link #prepack}. */
  default long prepackWorkspaceBytes() {
    return Operation.align(reorder().scratchpadBytes());
  }

  /** Copies a weight into the layout that this pass reads. */
  default void prepack(long stream, long weight, long prepacked, long workspace) {
    reorder().run(stream, workspace, weight, prepacked);
  }

  /** Scratch memory of {@link #runPrepacked}. */
  long runPrepackedWorkspaceBytes();

  /** Runs with a weight that is in this pass's layout already. */
  void runPrepacked(long stream, long input, long prepacked, long output, long workspace);
}
