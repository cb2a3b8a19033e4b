package slimvox.backend.cpu.onednn;

import java.lang.foreign.SymbolLookup;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Convolutions.Epilogue;
import slimvox.backend.DataType;
import slimvox.backend.Device.MathMode;
import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.NativeFunction;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.NativeLibraries;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cpu.onednn.WidenedConvolution.Way;

/**
 * Convolutions and matrix products of the CPU by oneDNN, in float32; on request, and with AMX, of
 * factors that it rounds to bfloat16 while it computes.
 *
 * <p>oneDNN gets all memory from the caller: weights in its own layouts and its scratch pads are in
 * the workspace. What it needs for a geometry is made once and kept: descriptors when the size of
 * the workspace is asked for, code when the operation runs for the first time. With the same number
 * of threads the same operands give the same bits.
 *
 * <p>Not thread-safe: one thread at a time.
 */
public final class OneDnn implements Convolutions.Kernels, AutoCloseable {
  /** How many operations are kept; the one unused for longest goes first. */
  private static final int CAPACITY = 1024;

  /** How many take as long as reading an element does in kernels of our own. */
  private static final int MULTIPLY_ADDS_AN_ELEMENT = 256;

  private record Key(Way way, Convolution geometry, DataType sum) {}

  private record EndKey(Convolution geometry, boolean adds, boolean relu) {}

  private final NativeLibraries libraries;
  private final SymbolLookup gomp;
  private final NativeFunction setThreads;
  private final int threads;
  private final Parallel parallel;
  private final boolean bfloat16;
  private final boolean direct;
  private OneDnn[] single; // one for each thread
  private final long engine;
  private final long stream;
  private final long[] attributes = new long[4];
  private final Map<Record, Operation> operations = new LinkedHashMap<>(64, 0.75f, true);

  private OneDnn(
      NativeLibraries libraries, int threads, boolean bfloat16, boolean direct, long engine) {
    this.libraries = libraries;
    this.bfloat16 = bfloat16;
    this.direct = direct;
    this.gomp = libraries.gomp();
    this.threads = threads;
    parallel = new Parallel(gomp, threads);
    setThreads = NativeFunction.find(gomp, "omp_set_num_threads", 1);
    this.engine = engine;
    stream = Dnnl.stream(engine);
    Arrays.setAll(attributes, i -> Dnnl.attributes((i & 1) != 0, (i & 2) != 0, bfloat16));
  }

  /**
   * Loads the library and starts it on so many OpenMP threads.
   *
   * @param math what it may round float32 factors to; TF32 is taken for float32
   * @throws UnsupportedOperationException with one line that says why, where it cannot be loaded
   */
  public static OneDnn open(int threads, MathMode math) {
    if (threads < 1) throw new IllegalArgumentException(threads + " threads: at least 1 is needed");
    NativeLibraries.load(); // before its processor is asked for
    return open(threads, math, roundsToBfloat16());
  }

  /**
   * The same.
   *
   * @param direct whether convolutions of bfloat16 are the library's, not of widened images
   */
  static OneDnn open(int threads, MathMode math, boolean direct) {
    return new OneDnn(
        NativeLibraries.load(), threads, math == MathMode.BFLOAT16, direct, Dnnl.engine());
  }

  /** Opens the library in float32; see {@link #open(int, MathMode)}. */
  public static OneDnn open(int threads) {
    return open(threads, MathMode.FLOAT32);
  }

  /**
   * Whether the library multiplies float32 factors in bfloat16 on this processor where it may. It
   * does with AMX only: AVX512-BF16 alone is no faster than float32.
   */
  public static boolean roundsToBfloat16() {
    return (Dnnl.instructions() & dnnl.dnnl_cpu_isa_avx512_core_amx)
        == dnnl.dnnl_cpu_isa_avx512_core_amx;
  }

  /** What {@link MathMode#BFLOAT16} means on this processor, for a description. */
  public static String bfloat16Math() {
    return roundsToBfloat16()
        ? "factors rounded to bfloat16 (AMX)"
        : "factors in float32: bfloat16 needs a processor with AMX";
  }

  /** How convolutions of bfloat16 tensors are computed on this processor, for a description. */
  public static String bfloat16Convolutions() {
    return roundsToBfloat16()
        ? "convolutions of bfloat16 (AMX)"
        : "convolutions of widened images in float32, without AMX the faster way";
  }

  /** The library's version, for example {@code 3.11.0}. */
  public String version() {
    return Dnnl.version();
  }

  /** Number of OpenMP threads. */
  public int threads() {
    return threads;
  }

  /** The library's threads, for kernels of our own. */
  public Parallel parallel() {
    return parallel;
  }

  /** The OpenMP runtime that oneDNN runs on, for kernels that are to share its threads. */
  public SymbolLookup gomp() {
    return gomp;
  }

  /** The names of all implementations in use, for example {@code brgconv:avx512_core}. */
  public Set<String> implementationNames() {
    return operations.values().stream()
        .flatMap(Operation::primitives)
        .map(Primitive::implementation)
        .collect(Collectors.toSet());
  }

  // ---- matrices

  /** See {@link Matrices.Kernels#matmulWorkspace}. */
  public long matmulWorkspace(Product p) {
    return product(p).workspaceBytes();
  }

  /** See {@link Matrices.Kernels#matmul}. */
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    product(p).run(stream, a.address(), b.address(), c.address(), accumulate, address(workspace));
  }

  private MatrixProduct product(Product p) {
    long multiplyAdds = (long) p.m() * p.n() * p.k();
    return (MatrixProduct) kept(p, multiplyAdds, () -> new MatrixProduct(this, p));
  }

  // ---- convolution

  /** What runs a convolution of images of another type, or with such a sum; else null. */
  private WidenedConvolution widened(Way way, Convolution g, DataType sum) {
    // The library adds to the type of its images, and its products of bfloat16 to float32.
    boolean own = sum == g.type() || direct && sum == DataType.FLOAT32;
    boolean toAdd = way == Way.FORWARD_ADD && !own;
    return factors(sum) != sum || toAdd ? new WidenedConvolution(this, way, g, sum) : null;
  }

  private long workspace(Way way, Convolution g, DataType sum) {
    WidenedConvolution widened = widened(way, g, sum);
    return widened == null ? pass(way, g, sum).workspaceBytes() : widened.workspace();
  }

  private void run(Way way, Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    WidenedConvolution widened = widened(way, g, y.type());
    long w = weight.address();
    if (widened != null) {
      widened.run(x, w, y, address(workspace));
    } else if (way == Way.BACKWARD_DATA) {
      pass(way, g).run(stream, y.address(), w, x.address(), address(workspace));
    } else {
      pass(way, g, y.type()).run(stream, x.address(), w, y.address(), address(workspace));
    }
  }

  @Override
  public long forwardWorkspace(Convolution g) {
    return workspace(Way.FORWARD, g, g.type());
  }

  @Override
  public void forward(
      Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {
    run(Way.FORWARD, g, x, weight, y, workspace);
  }

  /** The pass whose layout a weight is brought into beforehand. */
  private ConvolutionPass layingOut(Convolution g) {
    WidenedConvolution widened = widened(Way.FORWARD, g, g.type());
    return widened == null ? pass(Way.FORWARD, g) : widened.pass();
  }

  @Override
  public long prepackedBytes(Convolution g) {
    return layingOut(g).prepackedBytes();
  }

  @Override
  public boolean sameLayout(Convolution a, Convolution b) {
    return layingOut(a).sameLayout(layingOut(b));
  }

  @Override
  public long prepackWorkspace(Convolution g) {
    return layingOut(g).prepackWorkspaceBytes();
  }

  @Override
  public void prepack(
      Convolution g, Tensor weight, Channels c, Tensor bias, Tensor prepacked, Tensor workspace) {
    ConvolutionPass pass = layingOut(g);
    long from = weight.address();
    if (c != null) {
      from = workspace.address() + pass.prepackWorkspaceBytes();
      long each = weight.size() / g.outChannels();
      for (int o = 0; o < g.outChannels(); o++) {
        float scale = Lanes.get(c.gamma().address(), o) * Lanes.get(c.invStd().address(), o);
        float shift = Lanes.get(c.beta().address(), o) - Lanes.get(c.mean().address(), o) * scale;
        Lanes.set(bias.address(), o, shift);
        for (long i = o * each; i < (o + 1) * each; i++) {
          Lanes.set(from, i, scale * Lanes.get(weight.address(), i));
        }
      }
    }
    pass.prepack(stream, from, prepacked.address(), address(workspace));
  }

  @Override
  public boolean ends(Convolution g, boolean adds, boolean relu) {
    return g.type() == DataType.FLOAT32 // a scaled filter has another rounding
        && pass(Way.FORWARD, g).sameLayout(ending(g, adds, relu));
  }

  private DirectConvolution ending(Convolution g, boolean adds, boolean relu) {
    EndKey key = new EndKey(g, adds, relu);
    return (DirectConvolution)
        kept(key, g.multiplyAdds(), () -> DirectConvolution.ending(this, g, adds, relu));
  }

  @Override
  public long forwardPrepackedWorkspace(Convolution g, Epilogue end) {
    if (end != null) return ending(g, end.adds(), end.relu()).runPrepackedWorkspaceBytes();
    WidenedConvolution widened = widened(Way.FORWARD, g, g.type());
    return widened == null
        ? pass(Way.FORWARD, g).runPrepackedWorkspaceBytes()
        : widened.prepackedWorkspace();
  }

  @Override
  public void forwardPrepacked(
      Convolution g, Tensor x, Tensor prepacked, Epilogue end, Tensor y, Tensor workspace) {
    long w = prepacked.address();
    if (end != null) {
      ending(g, end.adds(), end.relu())
          .run(stream, address(workspace), x.address(), w, y.address(), end.bias().address());
      return;
    }
    WidenedConvolution widened = widened(Way.FORWARD, g, g.type());
    if (widened != null) {
      widened.runPrepacked(x, w, y, address(workspace));
    } else {
      pass(Way.FORWARD, g).runPrepacked(stream, x.address(), w, y.address(), address(workspace));
    }
  }

  @Override
  public long forwardAddWorkspace(Convolution g, DataType sum) {
    return workspace(Way.FORWARD_ADD, g, sum);
  }

  @Override
  public void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    run(Way.FORWARD_ADD, g, x, weight, y, workspace);
  }

  @Override
  public long backwardDataWorkspace(Convolution g) {
    return workspace(Way.BACKWARD_DATA, g, g.type());
  }

  @Override
  public void backwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
    run(Way.BACKWARD_DATA, g, dx, weight, dy, workspace);
  }

  @Override
  public long backwardWeightWorkspace(Convolution g) {
    WidenedConvolution widened = widened(Way.BACKWARD_WEIGHT, g, g.type());
    return widened == null ? weightGradientPass(g).workspaceBytes() : widened.workspace();
  }

  @Override
  public void backwardWeight(
      Convolution g,
      Tensor x,
      Channels c,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace) {
    WidenedConvolution widened = widened(Way.BACKWARD_WEIGHT, g, g.type());
    long d = dweight.address();
    long w = address(workspace);
    if (widened != null) widened.backwardWeight(x, dy, d, accumulate, w);
    else weightGradientPass(g).run(stream, x.address(), dy.address(), d, accumulate, w);
  }

  /** The library on one thread of its own, for a part of a loop. */
  OneDnn single(int part) {
    if (single == null) {
      single = new OneDnn[threads];
      Arrays.setAll(single, p -> new OneDnn(libraries, 1, bfloat16, direct, engine));
    }
    return single[part];
  }

  ConvolutionPass pass(Way way, Convolution g) {
    return pass(way, g, g.type());
  }

  /** {@code sum}: the type of what is written or added to. */
  ConvolutionPass pass(Way way, Convolution g, DataType sum) {
    return (ConvolutionPass) kept(new Key(way, g, sum));
  }

  WeightGradientPass weightGradientPass(Convolution g) {
    return (WeightGradientPass) kept(new Key(Way.BACKWARD_WEIGHT, g, g.type()));
  }

  private Operation kept(Key key) {
    Convolution g = key.geometry();
    return kept(key, g.multiplyAdds(), () -> create(key.way(), g, key.sum()));
  }

  private Operation create(Way way, Convolution g, DataType sum) {
    return switch (way) {
      case FORWARD -> ConvolutionPass.forward(this, g, sum);
      case FORWARD_ADD -> DirectConvolution.forward(this, g, sum, true);
      case BACKWARD_DATA -> ConvolutionPass.backwardData(this, g);
      case BACKWARD_WEIGHT -> WeightGradientPass.of(this, g);
    };
  }

  // ----

  /** Describes a copy of one layout into another, added to what is there if asked. */
  Primitive reorder(long from, long to, boolean accumulate) {
    return new Primitive(
        engine,
        Dnnl.reorder(engine, from, to, attributes(accumulate, false)),
        dnnl.DNNL_ARG_FROM,
        dnnl.DNNL_ARG_TO);
  }

  /** The type in which the library multiplies what is of this one. */
  DataType factors(DataType type) {
    return direct ? type : DataType.FLOAT32;
  }

  long engine() {
    return engine;
  }

  long stream() {
    return stream;
  }

  long attributes(boolean accumulate, boolean relu) {
    return attributes[(accumulate ? 1 : 0) + (relu ? 2 : 0)];
  }

  /** The operation of a geometry: the one kept, or a new one. */
  private Operation kept(Record key, long multiplyAdds, Supplier<Operation> create) {
    enter(multiplyAdds);
    Operation known = operations.get(key);
    if (known != null) return known;
    Operation operation = create.get();
    if (operations.size() == CAPACITY) {
      var longestUnused = operations.entrySet().iterator();
      longestUnused.next().getValue().close();
      longestUnused.remove();
    }
    operations.put(key, operation);
    return operation;
  }

  /**
   * OpenMP keeps the number of threads for each calling thread, and scratch pads depend on it.
   * Another instance may have set it meanwhile, and asking takes as long as setting it again.
   *
   * @param multiplyAdds the work; little of it runs on one thread, see {@link Parallel#parts}
   */
  void enter(long multiplyAdds) {
    setThreads.call(parallel.parts(multiplyAdds / MULTIPLY_ADDS_AN_ELEMENT, 1));
  }

  /** The work of a convolution, in elements read by a kernel of our own. */
  static long work(Convolution g) {
    return g.multiplyAdds() / MULTIPLY_ADDS_AN_ELEMENT;
  }

  private static long address(Tensor workspace) {
    return workspace == null ? 0 : workspace.address();
  }

  /** Gives the library's objects back. The library itself stays loaded. */
  @Override
  public void close() {
    if (single != null) for (OneDnn one : single) one.closeOwn();
    closeOwn();
    Dnnl.destroy("engine", engine);
  }

  private void closeOwn() {
    operations.values().forEach(Operation::close);
    operations.clear();
    for (long each : attributes) Dnnl.destroy("primitive_attr", each);
    Dnnl.destroy("stream", stream);
    parallel.close();
  }
}
