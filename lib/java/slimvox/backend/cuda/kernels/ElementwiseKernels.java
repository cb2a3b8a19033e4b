package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.List;
import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/elementwise.cu; what each kernel computes is said there. */
public final class ElementwiseKernels implements Elementwise.Kernels {
  private static final int THREADS = 256;

  private final Launcher launcher;
  private final DeviceMemory memory;
  private final OwnMemory own;
  private final ManyTensors many;

  /** Launches through {@code launcher}; {@code many} are the device's. */
  public ElementwiseKernels(
      Launcher launcher, DeviceMemory memory, OwnMemory own, ManyTensors many) {
    this.launcher = launcher;
    this.memory = memory;
    this.own = own;
    this.many = many;
  }

  /** One thread for every four elements. */
  static Grid fours(long elements) {
    return Grid.of(Grid.blocks(elements, 4 * THREADS), THREADS);
  }

  /** One thread for every element. */
  static Grid ones(long elements) {
    return Grid.of(Grid.blocks(elements, THREADS), THREADS);
  }

  @Override
  public void fill(Tensor x, float value) {
    switch (x.type()) {
      case FLOAT32 -> memory.fill(x.address(), Float.floatToRawIntBits(value), 4, x.size());
      case INT32 -> memory.fill(x.address(), (int) value, 4, x.size());
      case UINT8 -> memory.fill(x.address(), (int) value, 1, x.size());
      default -> throw new IllegalArgumentException("no " + x.type() + " on a card");
    }
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    memory.copy(x.address(), y.address(), x.bytes());
  }

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {
    launcher.launch("add_scaled", fours(x.size()), alpha, x, y, x.size());
  }

  @Override
  public void relu(Tensor x, Tensor y) {
    launcher.launch("relu", fours(x.size()), x, y, x.size());
  }

  @Override
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    backward("relu_backward", y, dy, dx);
  }

  @Override
  public void tanh(Tensor x, Tensor y) {
    launcher.launch("tanh_forward", fours(x.size()), x, y, x.size());
  }

  @Override
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    backward("tanh_backward", y, dy, dx);
  }

  @Override
  public void gelu(Tensor x, Tensor y) {
    launcher.launch("gelu", fours(x.size()), x, y, x.size());
  }

  @Override
  public void geluBackward(Tensor x, Tensor dy, Tensor dx) {
    backward("gelu_backward", x, dy, dx);
  }

  private void backward(String kernel, Tensor y, Tensor dy, Tensor dx) {
    launcher.launch(kernel, fours(y.size()), y, dy, dx, y.size());
  }

  /** One download for 64 tensors. */
  @Override
  public int firstNotFinite(List<Tensor> tensors) {
    long flags = own.flags();
    for (int from = 0; from < tensors.size(); from += OwnMemory.FLAGS) {
      int count = Math.min(OwnMemory.FLAGS, tensors.size() - from);
      memory.fill(flags, 0, 4, OwnMemory.FLAGS);
      int first = from;
      many.together(
          () -> {
            for (int i = 0; i < count; i++) {
              markNotFinite(tensors.get(first + i), flags + 4L * i);
            }
          });
      many.flush();
      int[] found = new int[count];
      memory.download(flags, MemorySegment.ofArray(found));
      for (int i = 0; i < count; i++) if (found[i] != 0) return from + i;
    }
    return -1;
  }

  @Override
  public void markNotFinite(Tensor x, Tensor flag) {
    markNotFinite(x, flag.address());
  }

  private void markNotFinite(Tensor x, long flag) {
    many.launch("not_finite", fours(x.size()), x.size(), List.of(), x.address(), flag);
  }

  /** The largest is gathered as its bits: those of floats that are not negative are ordered. */
  @Override
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    launcher.launch(
        "add_rounded", fours(x.size()), alpha * step, 1 / step, x, y, x.size(), largest);
  }
}
