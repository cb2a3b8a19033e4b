package slimvox.backend.cpu.onednn;

import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;

/**
 * A convolution in float32 of tensors of another type, some images at a time.
 *
 * <p>Without AMX a product of bfloat16 factors takes 1.5 to 2 times as long as one of float32. So a
 * few images are widened into the workspace, where they stay in the cache, convolved there, and the
 * result is rounded once into memory. Sums of any type are added to in the same way.
 *
 * <p>The workspace holds, each aligned to 64 bytes: the images' inputs and outputs as floats, and
 * what the convolution of them needs.
 */
final class WidenedConvolution {
  /** Floats of the inputs and outputs of the images at a time, unless one has more: 4 MiB. */
  private static final long FLOATS = 1 << 20;

  /** What runs on float tensors at these addresses. */
  interface Pass {
    void run(long x, long y, boolean first, long workspace);
  }

  /** What a pass does with x and y. */
  enum Way {
    /** y = what it makes of x. */
    FORWARD,
    /** y += what it makes of x. */
    FORWARD_ADD,
    /** x = what it makes of y. */
    BACKWARD_DATA,
    /** It reads both. */
    BACKWARD_WEIGHT
  }

  private final OneDnn library;
  private final Convolution whole;
  private final Convolution images;
  private final long x;
  private final long y;

  WidenedConvolution(OneDnn library, Convolution whole) {
    this.library = library;
    this.whole = whole;
    long each = (whole.inShape().size() + whole.outShape().size()) / whole.batch();
    int n = (int) Math.max(1, Math.min(whole.batch(), FLOATS / each));
    while (whole.batch() % n != 0) n--;
    images = whole.with(n, DataType.FLOAT32);
    x = Operation.align(4 * images.inShape().size());
    y = Operation.align(4 * images.outShape().size());
  }

  /** The convolution that is run, once for each group of images. */
  Convolution images() {
    return images;
  }

  long workspace(long ofPass) {
    return x + y + ofPass;
  }

  /** Shows a pass x and y of each group of images as floats. */
  void run(Way way, Tensor in, Tensor out, Tensor workspace, Pass pass) {
    switch (way) {
      case FORWARD, FORWARD_ADD -> forward(in, out, way == Way.FORWARD_ADD, workspace, pass);
      case BACKWARD_DATA, BACKWARD_WEIGHT ->
          backward(in, out, way == Way.BACKWARD_DATA, workspace, pass);
    }
  }

  /** y = or += what the pass makes of x; where y is float32, the pass itself writes or adds. */
  private void forward(Tensor in, Tensor out, boolean add, Tensor workspace, Pass pass) {
    Elements from = Elements.of(in);
    Elements to = Elements.of(out);
    long place = workspace.address() + x;
    float largest = 0;
    for (int group = 0; group < whole.batch() / images.batch(); group++) {
      widen(from, group, images.inShape().size(), workspace.address());
      long size = images.outShape().size();
      Elements here = to.from(group * size);
      long target = here.areFloats() ? here.address() : place;
      pass.run(workspace.address(), target, group == 0, place + y);
      if (here.areFloats()) continue;
      Elements floats = new Elements(place, DataType.FLOAT32, 1);
      float met =
          add
              ? here.add(library.parallel(), size, place)
              : floats.copy(library.parallel(), size, here);
      largest = Math.max(largest, met);
    }
    if (out.grid() != null) out.grid().met(largest);
  }

  /** x is written after the pass if asked, else read before it. */
  private void backward(Tensor in, Tensor out, boolean writesIn, Tensor workspace, Pass pass) {
    Elements from = Elements.of(in);
    Elements to = Elements.of(out);
    long place = workspace.address() + x;
    long size = images.inShape().size();
    for (int group = 0; group < whole.batch() / images.batch(); group++) {
      widen(to, group, images.outShape().size(), place);
      if (!writesIn) widen(from, group, size, workspace.address());
      pass.run(workspace.address(), place, group == 0, place + y);
      if (!writesIn) continue;
      Elements floats = new Elements(workspace.address(), DataType.FLOAT32, 1);
      floats.copy(library.parallel(), size, from.from(group * size));
    }
  }

  private void widen(Elements from, int group, long size, long floats) {
    Elements to = new Elements(floats, DataType.FLOAT32, 1);
    from.from(group * size).copy(library.parallel(), size, to);
  }
}
