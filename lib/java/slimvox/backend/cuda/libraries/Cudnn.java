package slimvox.backend.cuda.libraries;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Supplier;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.DeviceException;
import slimvox.backend.NativeFunction;
import slimvox.backend.cuda.driver.CardStream;
import slimvox.backend.cuda.kernels.DeviceMemory;

/**
 * cuDNN on one stream of a card: plans passes of convolutions and runs them.
 *
 * <p>Activations are N, H, W, C, weights O, kH, kW, I. An algorithm is taken if it always gives the
 * same bits, adds up products as they are (no Fourier or Winograd transform, which round otherwise
 * than our kernels and need large workspaces) and needs no more than the given workspace; of those
 * the one that cuDNN expects to be the fastest. The answer depends on geometry, card and version
 * only: cuDNN's heuristics measure nothing.
 */
public final class Cudnn implements AutoCloseable {
  /** What a launch is called in messages. */
  public static final String LAUNCH = "of cuDNN";

  private static final int FLOAT = 0; // CUDNN_DATA_FLOAT; all of these: cudnn_graph.h, cudnn_ops.h
  private static final int NHWC = 1;
  private static final int CROSS_CORRELATION = 1;
  private static final int DETERMINISTIC = 1;
  private static final int DEFAULT_MATH = 0; // TF32 where the card has it
  private static final int ALLOW_CONVERSION = 2; // to float16
  private static final int FMA_MATH = 3; // float32

  // cudnnConvolutionFwdAlgoPerf_t and its two twins: int algorithm, int status, float time, size_t
  // memory, int determinism, int math type, 12 bytes reserved
  private static final int RATED_BYTES = 48;
  private static final int STATUS = 4;
  private static final int DETERMINISM = 24;
  private static final int MATH = 28;
  private static final int ALGORITHMS = 10; // of the pass that has the most there are 8

  /** A pass of a convolution, with the numbers of those algorithms that add up plain products. */
  public enum Pass {
    /** y = x * w. */
    FORWARD("Forward", Set.of(0, 1, 2)),
    /** dx = w, dy. */
    BACKWARD_DATA("BackwardData", Set.of(0, 1)),
    /** dw = x, dy. */
    BACKWARD_WEIGHT("BackwardFilter", Set.of(0, 1, 3));

    private final String name;
    private final Set<Integer> sums;

    Pass(String name, Set<Integer> sums) {
      this.name = name;
      this.sums = sums;
    }

    String function() {
      return "cudnnConvolution" + name;
    }

    String algorithms() {
      return "cudnnGetConvolution" + name + "Algorithm_v7";
    }

    String workspaceSize() {
      return "cudnnGetConvolution" + name + "WorkspaceSize";
    }
  }

  /**
   * How one pass of one convolution is done; {@link Cudnn} owns its descriptors.
   *
   * @param first descriptor of the first operand, in the order of the pass's function
   * @param second descriptor of the second operand
   * @param convolution descriptor of padding, strides, groups and precision
   * @param result descriptor of the result
   * @param algorithm cuDNN's number of it
   * @param workspace bytes that it needs beside its operands
   */
  record Plan(
      Pass pass,
      long first,
      long second,
      long convolution,
      long result,
      int algorithm,
      long workspace) {}

  private record Descriptor(String kind, long address) {}

  private static final Convolution COMMON =
      new Convolution(2, 16, 16, 32, 32, 3, 3, 1, 1, 1, 1, 1, DataType.FLOAT32);

  private final CudnnLibrary library;
  private final CardStream stream;
  private final boolean tf32;
  private final long limit;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment factors = arena.allocateFrom(JAVA_FLOAT, 0, 1);
  private final List<Descriptor> descriptors = new ArrayList<>();
  private final Set<Plan> tried = new HashSet<>();
  private final long handle;

  /**
   * Opens the library for a stream.
   *
   * @param tf32 whether factors may be rounded to 10 bits of mantissa
   * @param limit the most bytes that an algorithm may need beside its operands
   * @throws CudnnFailure if it cannot be used here: it is tried on a common convolution
   */
  public Cudnn(CudnnLibrary library, CardStream stream, boolean tf32, long limit) {
    this.library = library;
    this.stream = stream;
    this.tf32 = tf32;
    this.limit = limit;
    stream.enter();
    try {
      this.handle = created("cudnnCreate");
    } catch (CudnnFailure e) {
      arena.close();
      throw e;
    }
    try {
      library.check("cudnnSetStream", handle, stream.address());
      // Its parts are loaded when first needed; if one is missing, better known now.
      plan(COMMON, Pass.FORWARD);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private long created(String function) {
    try (Arena own = Arena.ofConfined()) {
      MemorySegment made = own.allocate(JAVA_LONG);
      library.check(function, made.address());
      return made.get(JAVA_LONG, 0);
    }
  }

  /**
   * Chooses an algorithm for a pass; nothing is launched.
   *
   * @throws CudnnFailure if there is none
   */
  Plan plan(Convolution g, Pass pass) {
    stream.enter();
    List<Descriptor> made = new ArrayList<>();
    try {
      long x = activation(made, g.batch(), g.height(), g.width(), g.inChannels());
      long y = activation(made, g.batch(), g.outHeight(), g.outWidth(), g.outChannels());
      long weight = weight(made, g);
      long convolution = convolution(made, g);
      Plan plan =
          switch (pass) {
            case FORWARD -> choose(pass, x, weight, convolution, y);
            case BACKWARD_DATA -> choose(pass, weight, y, convolution, x);
            case BACKWARD_WEIGHT -> choose(pass, x, y, convolution, weight);
          };
      descriptors.addAll(made);
      return plan;
    } catch (CudnnFailure e) {
      made.forEach(this::destroy);
      traced(e, "choosing an algorithm of cuDNN's");
      throw e;
    }
  }

  /** Throws what the driver knows of a failure that is no refusal; returns if that is nothing. */
  private void traced(CudnnFailure e, String what) {
    if (!e.isRefusal()) stream.libraryFailed(what, e.isOutOfMemory());
  }

  private long descriptor(List<Descriptor> made, String kind, String set, long... values) {
    long address = created("cudnnCreate" + kind + "Descriptor");
    made.add(new Descriptor(kind, address));
    library.check(set, NativeFunction.with(address, values));
    return address;
  }

  private void destroy(Descriptor d) {
    library.call("cudnnDestroy" + d.kind + "Descriptor", d.address);
  }

  private long activation(List<Descriptor> made, int n, int height, int width, int channels) {
    String set = "cudnnSetTensor4dDescriptor";
    return descriptor(made, "Tensor", set, NHWC, FLOAT, n, channels, height, width);
  }

  private long weight(List<Descriptor> made, Convolution g) {
    return descriptor(
        made,
        "Filter",
        "cudnnSetFilter4dDescriptor",
        FLOAT,
        NHWC,
        g.outChannels(),
        g.inChannels() / g.groups(),
        g.kernelHeight(),
        g.kernelWidth());
  }

  private long convolution(List<Descriptor> made, Convolution g) {
    long d =
        descriptor(
            made,
            "Convolution",
            "cudnnSetConvolution2dDescriptor",
            g.padHeight(),
            g.padWidth(),
            g.strideHeight(),
            g.strideWidth(),
            1,
            1,
            CROSS_CORRELATION,
            FLOAT);
    library.check("cudnnSetConvolutionGroupCount", d, g.groups());
    library.check("cudnnSetConvolutionMathType", d, tf32 ? DEFAULT_MATH : FMA_MATH);
    return d;
  }

  private Plan choose(Pass pass, long first, long second, long convolution, long result) {
    try (Arena own = Arena.ofConfined()) {
      MemorySegment rated = own.allocate((long) RATED_BYTES * ALGORITHMS, 8);
      MemorySegment number = own.allocate(JAVA_LONG);
      library.check(
          pass.algorithms(),
          handle,
          first,
          second,
          convolution,
          result,
          ALGORITHMS,
          number.address(),
          rated.address());
      int count = number.get(JAVA_INT, 0);
      long least = Long.MAX_VALUE;
      for (int i = 0; i < count; i++) {
        MemorySegment one = rated.asSlice((long) i * RATED_BYTES, RATED_BYTES);
        int algorithm = one.get(JAVA_INT, 0);
        int math = one.get(JAVA_INT, MATH);
        if (one.get(JAVA_INT, STATUS) != 0
            || one.get(JAVA_INT, DETERMINISM) != DETERMINISTIC
            || !pass.sums.contains(algorithm)
            || tf32 && math == ALLOW_CONVERSION) {
          continue;
        }
        // The same algorithm stands in the list once for each precision.
        library.check("cudnnSetConvolutionMathType", convolution, tf32 ? math : FMA_MATH);
        long[] asked = {handle, first, second, convolution, result, algorithm, number.address()};
        if (library.call(pass.workspaceSize(), asked) != 0) continue;
        long bytes = number.get(JAVA_LONG, 0);
        if (bytes <= limit) {
          return new Plan(pass, first, second, convolution, result, algorithm, bytes);
        }
        least = Math.min(least, bytes);
      }
      throw CudnnFailure.unsuitable(
          least == Long.MAX_VALUE
              ? "none of cuDNN's %d algorithms adds up plain products in a fixed order"
                  .formatted(count)
              : String.format(
                  Locale.ROOT,
                  "cuDNN needs a workspace of %,d bytes, %,d are allowed",
                  least,
                  limit));
    }
  }

  /**
   * Runs a pass. A plan that has not been tried is run at once, so that it is known whether it is
   * refused.
   *
   * @param what a word for it in messages
   * @param first address of the first operand, in the order of {@link Pass}
   * @param second address of the second operand
   * @param result address of what is written
   * @param accumulate whether the result is added to what is there
   * @param workspace address of as many bytes as the plan says
   * @throws CudnnFailure if it is refused
   * @throws DeviceException if it fails
   */
  void run(
      Plan plan,
      Supplier<String> what,
      long first,
      long second,
      long result,
      boolean accumulate,
      long workspace) {
    stream.enter();
    boolean known = !tried.add(plan) && stream.keepsBack();
    Runnable call =
        () -> {
          try {
            call(plan, first, second, result, accumulate, workspace);
          } catch (CudnnFailure e) {
            if (e.isRefusal() && !known) throw e;
            throw failed(e, what.get());
          }
        };
    if (known) {
      stream.queue(call, LAUNCH, plan, first, second, result, accumulate, workspace);
    } else {
      stream.issue();
      call.run();
    }
  }

  private DeviceException failed(CudnnFailure e, String what) {
    traced(e, what);
    return new DeviceException(
        "cuDNN failed in %s: %s; resume the run from its last checkpoint, without cuDNN by"
                .formatted(what, e.getMessage())
            + " SLIMVOX_CUDNN=off",
        e);
  }

  private void call(
      Plan plan, long first, long second, long result, boolean accumulate, long workspace) {
    library.check(
        plan.pass().function(),
        handle,
        factors.address() + JAVA_FLOAT.byteSize(),
        plan.first(),
        first,
        plan.second(),
        second,
        plan.convolution(),
        plan.algorithm(),
        workspace,
        plan.workspace(),
        factors.address() + (accumulate ? JAVA_FLOAT.byteSize() : 0),
        plan.result(),
        result);
    stream.launched(LAUNCH);
  }

  /**
   * Runs each pass of a common convolution, so that code which cuDNN loads at its first use is
   * there before the card's memory is taken.
   *
   * @throws CudnnFailure if one fails; what is refused is not needed
   */
  public void loadCode(DeviceMemory memory) {
    long operand = 4 * Math.max(COMMON.inShape().size(), COMMON.weightShape().size());
    for (Pass pass : Pass.values()) {
      try {
        Plan plan = plan(COMMON, pass);
        long at = memory.allocate(3 * operand + plan.workspace());
        try {
          call(plan, at, at + operand, at + 2 * operand, false, at + 3 * operand);
        } finally {
          memory.free(at);
        }
      } catch (CudnnFailure e) {
        if (!e.isRefusal()) throw e;
      }
    }
  }

  @Override
  public void close() {
    descriptors.forEach(this::destroy);
    descriptors.clear();
    library.call("cudnnDestroy", handle);
    arena.close();
  }
}
