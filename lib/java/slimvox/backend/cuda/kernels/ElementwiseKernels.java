package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.List;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/elementwise.cu; what each kernel computes is said there. */
public final class ElementwiseKernels {
  private static final int THREADS = 256;
  private static final int ROWS_PER_THREAD = 8;
  private static final int FLAGS = 64;

  private final Launcher launcher;
  private final DeviceMemory memory;
  private long flags; // reserved when first needed

  public ElementwiseKernels(Launcher launcher, DeviceMemory memory) {
    this.launcher = launcher;
    this.memory = memory;
  }

  /** One thread for every four elements. */
  static Grid fours(long elements) {
    return Grid.of(Grid.blocks(elements, 4 * THREADS), THREADS);
  }

  /** One thread for every element. */
  static Grid ones(long elements) {
    return Grid.of(Grid.blocks(elements, THREADS), THREADS);
  }

  public void fill(Tensor x, float value) {
    Grid grid = fours(x.size());
    switch (x.type()) {
      case FLOAT32 ->
          launcher.launch(
              "fill_words", grid, 0, Float.floatToRawIntBits(value), x.address(), x.size());
      case INT32 -> launcher.launch("fill_words", grid, 0, (int) value, x.address(), x.size());
      case UINT8 -> launcher.launch("fill_bytes", grid, 0, (int) value, x.address(), x.size());
    }
  }

  public void addScaled(float alpha, Tensor x, Tensor y) {
    launcher.launch("add_scaled", fours(x.size()), 0, alpha, x.address(), y.address(), x.size());
  }

  public void relu(Tensor x, Tensor y) {
    launcher.launch("relu", fours(x.size()), 0, x.address(), y.address(), x.size());
  }

  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    backward("relu_backward", y, dy, dx);
  }

  public void tanh(Tensor x, Tensor y) {
    launcher.launch("tanh_forward", fours(x.size()), 0, x.address(), y.address(), x.size());
  }

  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    backward("tanh_backward", y, dy, dx);
  }

  private void backward(String kernel, Tensor y, Tensor dy, Tensor dx) {
    launcher.launch(kernel, fours(y.size()), 0, y.address(), dy.address(), dx.address(), y.size());
  }

  public boolean isFinite(Tensor x) {
    return firstNotFinite(List.of(x)) < 0;
  }

  /** The first of several tensors that holds NaN or infinity, -1 if none; one download for 64. */
  public int firstNotFinite(List<Tensor> tensors) {
    reserveFlags();
    for (int from = 0; from < tensors.size(); from += FLAGS) {
      int count = Math.min(FLAGS, tensors.size() - from);
      memory.zero(flags, 4 * FLAGS);
      for (int i = 0; i < count; i++) {
        markNotFinite(tensors.get(from + i), flags + 4L * i);
      }
      int[] found = new int[count];
      memory.download(flags, MemorySegment.ofArray(found));
      for (int i = 0; i < count; i++) if (found[i] != 0) return from + i;
    }
    return -1;
  }

  /** Sets the int at {@code flag} to 1 if x holds NaN or infinity. */
  public void markNotFinite(Tensor x, long flag) {
    launcher.launch("not_finite", fours(x.size()), 0, x.address(), x.size(), flag);
  }

  public void addToRows(Tensor b, Tensor y) {
    long rows = y.shape().rows();
    int columns = y.shape().get(-1);
    RowGrid g = RowGrid.of(rows, columns, ROWS_PER_THREAD);
    launcher.launch(
        "add_to_rows", g.grid(), 0, b.address(), y.address(), rows, columns, g.rowsPerBlock());
  }

  /** Adds up the rows of y; the workspace is {@link ColumnSums}'s. */
  public void sumRows(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    long rows = y.shape().rows();
    int columns = y.shape().get(-1);
    launcher.launch(
        "column_sums",
        ColumnSums.grid(rows, columns),
        0,
        y.address(),
        workspace.address(),
        rows,
        columns,
        ColumnSums.rowsPerChunk(rows));
    ColumnSums.finish(launcher, rows, columns, workspace, b, accumulate);
  }

  /** Returns the largest |y|, so it waits. */
  public float addRounded(float alpha, Tensor x, float step, Tensor y) {
    reserveFlags();
    memory.zero(flags, 4);
    addRounded(alpha, x, step, y, flags);
    int[] largest = new int[1];
    memory.download(flags, MemorySegment.ofArray(largest));
    return Float.intBitsToFloat(largest[0]);
  }

  /** Does not wait: the float at {@code largest} becomes the largest |y| if that is larger. */
  public void addRounded(float alpha, Tensor x, float step, Tensor y, long largest) {
    launcher.launch(
        "add_rounded",
        fours(x.size()),
        0,
        alpha * step,
        1 / step,
        x.address(),
        y.address(),
        x.size(),
        largest);
  }

  private void reserveFlags() {
    if (flags == 0) flags = memory.allocate(4 * FLAGS);
  }

  /** Returns the flags. */
  public void close() {
    if (flags != 0) memory.free(flags);
    flags = 0;
  }
}
