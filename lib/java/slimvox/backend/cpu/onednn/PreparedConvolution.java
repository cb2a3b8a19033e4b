package slimvox.backend.cpu.onednn;

import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.cpu.CpuDevice;

/**
 * A convolution of oneDNN for inference, its weights in the library's own layout already: what
 * packed kernels are compared with.
 *
 * <p>Either float32 throughout, or int8: u8 activations (what a ReLU leaves), s8 weights, 32-bit
 * sums, u8 output. Contents are zeros; the time does not depend on them. Without bias and scales.
 */
public final class PreparedConvolution implements AutoCloseable {
  private final CpuDevice device;
  private final Primitive primitive;
  private final long block;
  private final long weight;
  private final long y;
  private final long scratchpad;
  private final long multiplyAdds;

  /**
   * A convolution ready to run.
   *
   * @param int8 in int8, else in float32
   */
  public PreparedConvolution(CpuDevice device, Convolution g, boolean int8) {
    this.device = device;
    OneDnn library = device.oneDnn();
    multiplyAdds = g.multiplyAdds();
    library.enter(multiplyAdds);
    int activations = int8 ? dnnl.dnnl_u8 : dnnl.dnnl_f32;
    int weights = int8 ? dnnl.dnnl_s8 : dnnl.dnnl_f32;
    try (var layouts = new ConvolutionLayouts(library, g, activations, weights, activations)) {
      primitive = layouts.forward(false);
    }
    long inBytes = Operation.align(primitive.bytesOf(dnnl.DNNL_ARG_SRC));
    long weightBytes = Operation.align(primitive.bytesOf(dnnl.DNNL_ARG_WEIGHTS));
    long outBytes = Operation.align(primitive.bytesOf(dnnl.DNNL_ARG_DST));
    block =
        device
            .memory()
            .allocate(inBytes + weightBytes + outBytes + Math.max(64, primitive.scratchpadBytes()));
    weight = block + inBytes;
    y = weight + weightBytes;
    scratchpad = y + outBytes;
  }

  /** Convolves. */
  public void run() {
    OneDnn library = device.oneDnn();
    library.enter(multiplyAdds);
    primitive.run(library.stream(), scratchpad, block, weight, y);
  }

  @Override
  public void close() {
    primitive.close();
    device.memory().free(block);
  }
}
