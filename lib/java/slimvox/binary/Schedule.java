package slimvox.binary;

import java.util.ArrayList;
import java.util.List;

/**
 * What a network does to an utterance of a fixed length, and where every plane lies.
 *
 * <p>Four buffers do for all layers: two of floats, two of signs. A block works in place: its
 * second convolution (each convolution, in a block of signs) writes over the shortcut that it adds.
 * Where the shape changes, shortcut and first convolution go to the other buffer, one into each
 * half.
 */
final class Schedule {
  /** One convolution; {@code clear} are the planes whose border has to be cleared before. */
  record Step(ConvolutionKernel kernel, Plane in, Epilogue.Target target, List<Plane> clear) {}

  /** The buffers. */
  enum Buffer {
    INPUT,
    FLOATS_0,
    FLOATS_1,
    SIGNS_0,
    SIGNS_1
  }

  /** A plane in a buffer, at an offset. */
  private record Place(Buffer buffer, Plane plane) {}

  private final long[] address;
  private final long[] bytes = new long[Buffer.values().length];
  private final List<List<Plane>> clean = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();
  private final long half;
  private List<Plane> clear;
  private Place signs; // the latest
  private Place features;
  private Place x;

  /**
   * Lays the planes out.
   *
   * @param address of each buffer; null to find out their sizes
   */
  Schedule(Kernels kernels, int bins, int frames, long[] address) {
    this.address = address;
    for (Buffer unused : Buffer.values()) clean.add(new ArrayList<>());
    half = halfBytes(kernels, bins, frames);
    build(kernels, bins, frames);
  }

  /** A network's convolutions, ready to run. */
  record Kernels(ConvolutionKernel stem, List<Block> blocks) {
    record Block(
        boolean ofSigns,
        ConvolutionKernel first,
        ConvolutionKernel second,
        ConvolutionKernel shortcut) {}
  }

  /** Bytes of each buffer. */
  long[] bytes() {
    return bytes;
  }

  List<Step> steps() {
    return steps;
  }

  /** Where the features go: bins x frames. */
  Plane features() {
    return features.plane;
  }

  /** Where the last layer's output is. */
  Plane output() {
    return x.plane;
  }

  /** Half a float buffer: the largest plane behind a change of shape. */
  private static long halfBytes(Kernels kernels, int bins, int frames) {
    long most = 0;
    for (Kernels.Block block : kernels.blocks) {
      LayerShape first = block.first.shape();
      bins = first.outLength(bins);
      frames = first.outLength(frames);
      if (block.shortcut != null) most = Math.max(most, Plane.bytes(bins, frames, first.out()));
    }
    return align(most);
  }

  private static long align(long bytes) {
    return (bytes + 63) & -64;
  }

  private void build(Kernels kernels, int bins, int frames) {
    clear = new ArrayList<>();
    features = place(Buffer.INPUT, 0, bins, frames, 1);
    Place stemOut = place(Buffer.FLOATS_0, 0, bins, frames, kernels.stem.shape().out());
    List<Kernels.Block> blocks = kernels.blocks;
    step(kernels.stem, features, stemOut, null, blocks.isEmpty() ? null : blocks.get(0).first);
    x = stemOut;
    for (int i = 0; i < blocks.size(); i++) {
      Kernels.Block block = blocks.get(i);
      ConvolutionKernel next = i + 1 < blocks.size() ? blocks.get(i + 1).first : null;
      if (block.ofSigns) {
        signBlock(block, next);
      } else {
        ordinaryBlock(block, next);
      }
    }
  }

  private void ordinaryBlock(Kernels.Block block, ConvolutionKernel next) {
    Place inner = outputPlace(block.first, x, 0);
    step(block.first, x, inner, null, block.second);
    Place shortcut = shortcut(block);
    step(block.second, inner, shortcut, shortcut, next);
    x = shortcut;
  }

  private void signBlock(Kernels.Block block, ConvolutionKernel next) {
    Place shortcut = shortcut(block);
    // The first convolution has its signs already; a real one reads what it writes over.
    boolean overwrites = block.shortcut == null && !block.first.takesSigns();
    Place first = overwrites ? outputPlace(block.first, x, 0) : shortcut;
    step(block.first, x, first, shortcut, block.second);
    Place second = block.second.takesSigns() ? first : outputPlace(block.second, first, half);
    step(block.second, first, second, first, next);
    x = second;
  }

  /** What is added: x itself, or what the shortcut's convolution makes of it. */
  private Place shortcut(Kernels.Block block) {
    if (block.shortcut == null) return x;
    Place out = outputPlace(block.shortcut, x, half);
    step(block.shortcut, x, out, null, null);
    return out;
  }

  /** A place for the output of a convolution in the buffer that {@code in} is not in. */
  private Place outputPlace(ConvolutionKernel kernel, Place in, long offset) {
    LayerShape layer = kernel.shape();
    Buffer other = in.buffer == Buffer.FLOATS_0 ? Buffer.FLOATS_1 : Buffer.FLOATS_0;
    int height = layer.outLength(in.plane.height());
    return place(other, offset, height, layer.outLength(in.plane.width()), layer.out());
  }

  private Place place(Buffer buffer, long offset, int height, int width, int elements) {
    int b = buffer.ordinal();
    long start = (address == null ? 0 : address[b]) + offset;
    Plane plane = new Plane(start, height, width, elements);
    bytes[b] = Math.max(bytes[b], offset + plane.bytes());
    List<Plane> known = clean.get(b);
    if (!known.contains(plane)) {
      known.removeIf(
          p ->
              p.address() < plane.address() + plane.bytes()
                  && plane.address() < p.address() + p.bytes());
      known.add(plane);
      clear.add(plane);
    }
    return new Place(buffer, plane);
  }

  /** Adds a step; {@code next} is who reads the output, and may want its signs. */
  private void step(
      ConvolutionKernel kernel, Place in, Place out, Place shortcut, ConvolutionKernel next) {
    Plane input = kernel.takesSigns() ? signs.plane : in.plane;
    Place made = null;
    if (next != null && next.takesSigns()) {
      boolean first = signs == null || signs.buffer == Buffer.SIGNS_1;
      made =
          place(
              first ? Buffer.SIGNS_0 : Buffer.SIGNS_1,
              0,
              out.plane.height(),
              out.plane.width(),
              Plane.words(out.plane.elements()));
      signs = made;
    }
    steps.add(
        new Step(
            kernel,
            input,
            new Epilogue.Target(
                out.plane.address(),
                shortcut == null ? 0 : shortcut.plane.address(),
                made == null ? 0 : made.plane.address(),
                made == null ? 0 : next.inputShift()),
            List.copyOf(clear)));
    clear.clear();
  }
}
