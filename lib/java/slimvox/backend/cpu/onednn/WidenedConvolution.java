package slimvox.backend.cpu.onednn;

import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/**
 * A convolution of tensors that the library does not take as they are, a piece at a time.
 *
 * <p>Without AMX a product of bfloat16 factors takes 1.5 to 2 times as long as one of float32. So a
 * piece, some images or some rows of one, is widened into the workspace, convolved there, and the
 * result is rounded once into memory. Sums of any type are added to in the same way, with AMX by
 * convolutions of bfloat16 whose result is float32. Each thread does pieces of its own from the
 * first step to the last, so that they stay in its second-level cache and no thread waits for
 * another.
 *
 * <p>Rows of an image come with the rows around them that the kernel reaches, zeros outside of the
 * image, so that a convolution without padding, or a gradient with more of it, gives these rows.
 *
 * <p>The workspace holds, each aligned to 64 bytes: the weight as the pass reads it; for each
 * thread the floats of a piece's inputs and outputs and what the convolution of them needs; for
 * each thread but one a gradient of the weight.
 */
final class WidenedConvolution {
  /** Floats of the inputs and outputs of a piece, unless a row has more: half of such a cache. */
  private static final long FLOATS = 1 << 18;

  /** Those of all threads: 8 MiB. */
  private static final long MOST = 1 << 21;

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

  /**
   * One of the tensors, as rows of all images.
   *
   * @param type of a piece
   * @param rows of a piece
   * @param around how many more the piece has above these and below
   */
  private record Side(DataType type, int rows, int imageRows, long rowSize, int around) {
    long bytes() {
      return Operation.align((rows + 2 * around) * rowSize * type.bytes());
    }

    long size() {
      return rows * rowSize;
    }

    Elements of(Elements all, long piece) {
      return all.from(piece * size());
    }

    /** Where a piece is: in memory if it is of its type there, else in the table. */
    long read(Parallel threads, Elements all, long piece, long table) {
      if (around == 0 && all.type() == type) return of(all, piece).address();
      long first = piece * rows - around;
      long inImage = piece * rows % imageRows - around;
      long outside = Math.max(0, -inImage);
      long left = rows + 2 * around - outside;
      long inside = around == 0 ? left : Math.min(left, imageRows - inImage - outside);
      long place = zeros(table, outside);
      Elements held = new Elements(place, type, 1);
      all.from((first + outside) * rowSize).copy(threads, inside * rowSize, held);
      zeros(held.from(inside * rowSize).address(), left - inside);
      return table;
    }

    private long zeros(long place, long outside) {
      long bytes = outside * rowSize * type.bytes();
      Lanes.ALL.asSlice(place, bytes).fill((byte) 0);
      return place + bytes;
    }
  }

  private final OneDnn library;
  private final Way way;
  private final Way ofPass;
  private final Convolution piece;
  private final Side in;
  private final Side out;
  private final long pieces;
  private final int parts;

  /**
   * @param sum the type of what is written or added to; the library adds to float32 only
   */
  WidenedConvolution(OneDnn library, Way way, Convolution whole, DataType sum) {
    this.library = library;
    this.way = way;
    ofPass = way == Way.FORWARD_ADD && sum != DataType.FLOAT32 ? Way.FORWARD : way;
    long each = (whole.inShape().size() + whole.outShape().size()) / whole.batch();
    long all = each * whole.batch();
    int threads = library.parallel().parts(Math.max(OneDnn.work(whole), all), 1);
    long weights = way == Way.BACKWARD_WEIGHT ? 2 * whole.weightShape().size() : 0;
    int reach = whole.kernelHeight() - 1;
    int pad = whole.padHeight();
    DataType type = library.factors(whole.type());
    boolean sliding = whole.strideHeight() == 1 && reach == 2 * pad;
    // Alone, each thread holds gradients of its own, or images that are not cut.
    boolean together =
        weights * threads > all || !sliding && (each > FLOATS || whole.batch() < threads);
    long floats = together ? MOST : Math.max(Math.min(FLOATS, MOST / threads), weights);
    floats = Math.min(floats, together ? all : all / threads);
    if (sliding && (each > floats || reach == 0)) {
      int height = reach == 0 ? whole.batch() * whole.height() : whole.height();
      int rows = part(height, floats / (each / whole.height()));
      pieces = (long) whole.batch() * whole.height() / rows;
      boolean ofInput = way == Way.BACKWARD_DATA;
      int around = ofInput ? 0 : pad;
      piece = rows(whole, rows + 2 * around, ofInput ? reach : 0, type);
      in = new Side(type, rows, whole.height(), size(whole.width(), whole.inChannels()), around);
      long outRow = size(whole.outWidth(), whole.outChannels());
      out = new Side(DataType.FLOAT32, rows, whole.height(), outRow, pad - around);
    } else {
      int images = part(whole.batch(), floats / each);
      pieces = whole.batch() / images;
      piece = whole.with(images, type);
      in = new Side(type, images, 1, whole.inShape().size() / whole.batch(), 0);
      out = new Side(DataType.FLOAT32, images, 1, whole.outShape().size() / whole.batch(), 0);
    }
    parts = together ? 1 : (int) Math.min(threads, pieces);
  }

  private static long size(int width, int channels) {
    return (long) width * channels;
  }

  /** The largest part of {@code units} that is at most so much, but 1. */
  private static int part(int units, long most) {
    int part = (int) Math.max(1, Math.min(units, most));
    while (units % part != 0) part--;
    return part;
  }

  private static Convolution rows(Convolution g, int rows, int pad, DataType type) {
    return new Convolution(
        1,
        rows,
        g.width(),
        g.inChannels(),
        g.outChannels(),
        g.kernelHeight(),
        g.kernelWidth(),
        1,
        g.strideWidth(),
        pad,
        g.padWidth(),
        g.groups(),
        type);
  }

  /** What a thread runs the convolutions of its pieces with. */
  private OneDnn runner(int part) {
    return parts == 1 ? library : library.single(part);
  }

  /** The pass over a piece; its layout of the weight is that of all. */
  ConvolutionPass pass() {
    return pass(runner(0));
  }

  private ConvolutionPass pass(OneDnn runner) {
    return runner.pass(ofPass, piece, DataType.FLOAT32);
  }

  private long ofThread(long passBytes) {
    return in.bytes() + out.bytes() + Operation.align(passBytes);
  }

  private long weightBytes() {
    return Operation.align(piece.weightShape().size() * Float.BYTES);
  }

  /** Bytes for a weight that is laid out already. */
  long prepackedWorkspace() {
    return parts * ofThread(pass().runPrepackedWorkspaceBytes());
  }

  /** Bytes for what {@link #run} or {@link #backwardWeight} does. */
  long workspace() {
    if (way == Way.BACKWARD_WEIGHT) {
      long each = ofThread(runner(0).weightGradientPass(piece).workspaceBytes());
      return parts * each + (parts - 1) * weightBytes();
    }
    ConvolutionPass pass = pass();
    long rest = Math.max(pass.prepackWorkspaceBytes(), prepackedWorkspace());
    return Operation.align(pass.prepackedBytes()) + rest;
  }

  /** Lays the weight out and runs. */
  void run(Tensor x, long weight, Tensor y, long workspace) {
    ConvolutionPass pass = pass();
    long rest = workspace + Operation.align(pass.prepackedBytes());
    pass.prepack(library.stream(), weight, workspace, rest);
    runPrepacked(x, workspace, y, rest);
  }

  /**
   * Runs with a weight that is in the pass's layout already. Where the result is of float32, the
   * pass itself writes or adds to it.
   */
  void runPrepacked(Tensor x, long weight, Tensor y, long workspace) {
    boolean back = way == Way.BACKWARD_DATA;
    Elements from = Elements.of(back ? y : x);
    Elements to = Elements.of(back ? x : y);
    Side read = back ? out : in;
    Side written = back ? in : out;
    long each = ofThread(pass().runPrepackedWorkspaceBytes());
    float[] largest = new float[parts];
    forEachPiece(
        (part, first, end) -> {
          OneDnn runner = runner(part);
          ConvolutionPass pass = pass(runner);
          Parallel threads = runner.parallel();
          long table = workspace + part * each;
          long place = table + read.bytes();
          long scratch = place + written.bytes();
          for (long p = first; p < end; p++) {
            long floats = read.read(threads, from, p, table);
            Elements here = written.of(to, p);
            long target = here.areFloats() ? here.address() : place;
            pass.runPrepacked(runner.stream(), floats, weight, target, scratch);
            if (here.areFloats()) continue;
            largest[part] = Math.max(largest[part], write(threads, place, here, written.size()));
          }
        });
    Tensor result = back ? x : y;
    if (result.grid() != null) for (float met : largest) result.grid().met(met);
  }

  private float write(Parallel threads, long floats, Elements to, long size) {
    return way == Way.FORWARD_ADD
        ? to.add(threads, size, floats)
        : new Elements(floats, DataType.FLOAT32, 1).copy(threads, size, to);
  }

  /** dweight = (dweight +) x correlated with dy: each thread adds up its own. */
  void backwardWeight(Tensor x, Tensor dy, long dweight, boolean accumulate, long workspace) {
    Elements from = Elements.of(x);
    Elements to = Elements.of(dy);
    long each = ofThread(runner(0).weightGradientPass(piece).workspaceBytes());
    long others = workspace + parts * each - weightBytes();
    forEachPiece(
        (part, first, end) -> {
          OneDnn runner = runner(part);
          WeightGradientPass pass = runner.weightGradientPass(piece);
          long table = workspace + part * each;
          long second = table + in.bytes();
          long sum = part == 0 ? dweight : others + part * weightBytes();
          for (long p = first; p < end; p++) {
            long a = in.read(runner.parallel(), from, p, table);
            long b = out.read(runner.parallel(), to, p, second);
            boolean adds = p > first || part == 0 && accumulate;
            pass.run(runner.stream(), a, b, sum, adds, second + out.bytes());
          }
        });
    Elements sum = new Elements(dweight, DataType.FLOAT32, 1);
    for (int part = 1; part < parts; part++) {
      sum.add(library.parallel(), piece.weightShape().size(), others + part * weightBytes());
    }
  }

  /** Pieces for each part; a single part is run on all threads, piece by piece. */
  private void forEachPiece(Parallel.Body body) {
    if (parts == 1) {
      body.run(0, 0, pieces);
      return;
    }
    library
        .parallel()
        .run(
            parts,
            FLOATS,
            (part, from, to) -> body.run(part, pieces * part / parts, pieces * to / parts));
  }
}
