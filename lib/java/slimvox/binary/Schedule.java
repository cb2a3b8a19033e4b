package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.Plane;

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
  record Step(LaidConvolution layer, Plane in, Packed.Target target, List<Plane> clear) {}

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
  private final List<Plane> clear = new ArrayList<>();
  private Place signs; // the latest
  private Place features;
  private Place x;

  /** Lays the planes out at the addresses of buffers; null to find out their sizes. */
  Schedule(LaidNetwork network, int bins, int frames, long[] address) {
    this.address = address;
    for (Buffer unused : Buffer.values()) clean.add(new ArrayList<>());
    half = halfBytes(network, bins, frames);
    build(network, bins, frames);
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
  private static long halfBytes(LaidNetwork network, int bins, int frames) {
    long most = 0;
    for (LaidNetwork.Block block : network.blocks()) {
      LayerShape first = block.first().shape();
      bins = first.outLength(bins);
      frames = first.outLength(frames);
      if (block.shortcut() != null) most = Math.max(most, Plane.bytes(bins, frames, first.out()));
    }
    return (most + 63) & -64;
  }

  private void build(LaidNetwork network, int bins, int frames) {
    features = place(Buffer.INPUT, 0, bins, frames, 1);
    x = place(Buffer.FLOATS_0, 0, bins, frames, network.stem().shape().out());
    List<LaidNetwork.Block> blocks = network.blocks();
    step(network.stem(), features, x, null, first(blocks, 0));
    for (int i = 0; i < blocks.size(); i++) {
      LaidNetwork.Block block = blocks.get(i);
      LaidConvolution next = first(blocks, i + 1);
      if (block.ofSigns()) {
        signBlock(block, next);
      } else {
        ordinaryBlock(block, next);
      }
    }
  }

  /** The first convolution of a block; null behind the last one. */
  private static LaidConvolution first(List<LaidNetwork.Block> blocks, int i) {
    return i < blocks.size() ? blocks.get(i).first() : null;
  }

  private void ordinaryBlock(LaidNetwork.Block block, LaidConvolution next) {
    Place inner = outputPlace(block.first(), x, 0);
    step(block.first(), x, inner, null, block.second());
    Place shortcut = shortcut(block);
    step(block.second(), inner, shortcut, shortcut, next);
    x = shortcut;
  }

  private void signBlock(LaidNetwork.Block block, LaidConvolution next) {
    Place shortcut = shortcut(block);
    // The first convolution has its signs already; a real one reads what it writes over.
    boolean overwrites = block.shortcut() == null && !block.first().shape().takesSigns();
    Place first = overwrites ? outputPlace(block.first(), x, 0) : shortcut;
    step(block.first(), x, first, shortcut, block.second());
    Place second =
        block.second().shape().takesSigns() ? first : outputPlace(block.second(), first, half);
    step(block.second(), first, second, first, next);
    x = second;
  }

  /** What is added: x itself, or what the shortcut's convolution makes of it. */
  private Place shortcut(LaidNetwork.Block block) {
    if (block.shortcut() == null) return x;
    Place out = outputPlace(block.shortcut(), x, half);
    step(block.shortcut(), x, out, null, null);
    return out;
  }

  /** A place for the output of a convolution in the buffer that {@code in} is not in. */
  private Place outputPlace(LaidConvolution layer, Place in, long offset) {
    LayerShape shape = layer.shape();
    Buffer other = in.buffer == Buffer.FLOATS_0 ? Buffer.FLOATS_1 : Buffer.FLOATS_0;
    int height = shape.outLength(in.plane.height());
    return place(other, offset, height, shape.outLength(in.plane.width()), shape.out());
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
      LaidConvolution layer, Place in, Place out, Place shortcut, LaidConvolution next) {
    Plane input = layer.shape().takesSigns() ? signs.plane : in.plane;
    boolean wantsSigns = next != null && next.shape().takesSigns();
    if (wantsSigns) {
      Plane p = out.plane;
      boolean first = signs == null || signs.buffer == Buffer.SIGNS_1;
      Buffer free = first ? Buffer.SIGNS_0 : Buffer.SIGNS_1;
      signs = place(free, 0, p.height(), p.width(), Plane.words(p.elements()));
    }
    Packed.Target target =
        new Packed.Target(
            out.plane,
            shortcut == null ? null : shortcut.plane,
            wantsSigns ? signs.plane : null,
            wantsSigns ? next.inputShift() : null);
    steps.add(new Step(layer, input, target, List.copyOf(clear)));
    clear.clear();
  }
}
