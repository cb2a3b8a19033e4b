package slimvox.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.onednn.PreparedConvolution;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.Category;

/**
 * One convolution in four forms, each with memory of its own: float32 and int8 by oneDNN, which run
 * the bare convolution; W1A32 and W1A1 packed, which do batch normalization and activation too, and
 * for W1A1 the shortcut and the next layer's signs.
 */
final class ConvolutionForms implements AutoCloseable {
  private final Backend backend;
  private final CpuDevice device;
  private final Convolution g;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final List<Runnable> forms;

  /** The forms of a convolution on the processor, which the backend is of. */
  ConvolutionForms(Backend backend, CpuDevice device, Convolution g) {
    this.backend = backend;
    this.device = device;
    this.g = g;
    forms = List.of(oneDnn(false), oneDnn(true), packed(WeightForm.W1A32), packed(WeightForm.W1A1));
  }

  /** One run of float32, int8, W1A32 and W1A1. */
  List<Runnable> forms() {
    return forms;
  }

  private Runnable oneDnn(boolean int8) {
    PreparedConvolution c = new PreparedConvolution(device, g, int8);
    owned.add(c);
    return c::run;
  }

  private Runnable packed(WeightForm form) {
    LayerShape shape =
        new LayerShape(
            "layer", form, g.inChannels(), g.outChannels(), g.kernelHeight(), g.strideHeight());
    Packed packed = backend.ops().packed;
    LaidConvolution laid = packed.lay(layer(shape));
    owned.add(laid);
    Plane in = plane(g.height(), g.width(), shape.inElements());
    Plane out = plane(g.outHeight(), g.outWidth(), shape.out());
    Plane bits = plane(g.outHeight(), g.outWidth(), Plane.words(shape.out()));
    // In a block of signs the result goes where the shortcut was.
    Packed.Target target =
        shape.takesSigns()
            ? new Packed.Target(out, out, bits, null)
            : new Packed.Target(out, null, null, null);
    Tensor workspace = zeros(64 + packed.convolveWorkspace(shape));
    return () -> packed.convolve(laid, in, target, workspace);
  }

  private static PackedConvolution layer(LayerShape shape) {
    byte[] signs = new byte[shape.out() * SignBits.rowBytes(shape.filterSize())];
    new Random(3).nextBytes(signs);
    float[] row = new float[shape.out()];
    Arrays.fill(row, 1);
    float[] counted = shape.takesSigns() ? row : null;
    ChannelActivation activation =
        shape.takesSigns()
            ? new ChannelActivation(ChannelActivation.Kind.RPRELU, row, row, row)
            : ChannelActivation.RELU;
    return new PackedConvolution(shape, signs, null, counted, counted, row, row, null, activation);
  }

  private Plane plane(int height, int width, int elements) {
    long address = zeros(Plane.bytes(height, width, elements)).address();
    return new Plane(address, height, width, elements);
  }

  private Tensor zeros(long bytes) {
    Tensor x = backend.allocate(Category.WORKSPACE, "bench", Math.toIntExact(bytes / 4));
    owned.add(x);
    backend.ops().elementwise.fill(x, 0);
    return x;
  }

  @Override
  public void close() {
    for (AutoCloseable c : owned) {
      try {
        c.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
