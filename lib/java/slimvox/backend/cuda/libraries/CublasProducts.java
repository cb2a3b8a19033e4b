package slimvox.backend.cuda.libraries;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import slimvox.backend.DeviceException;
import slimvox.backend.Matrices.Product;
import slimvox.backend.cuda.driver.CudaContext;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.MatrixProducts;

/**
 * Matrix products by cuBLAS, which works in the caller's memory only.
 *
 * <p>The workspace is of one size for all products, what NVIDIA recommends for cards before Hopper:
 * so a step can be planned without a card, and its bits do not depend on how much is free. {@code
 * -Dslimvox.cublas.workspace=BYTES} is for measuring what another size brings.
 */
public final class CublasProducts implements MatrixProducts, AutoCloseable {
  private static final long WORKSPACE = Long.getLong("slimvox.cublas.workspace", 4L << 20);
  private static final long ALIGNMENT = 256; // what cuBLAS asks of a workspace

  /** What every product needs; a constant, so that who reads it does not load JCuda. */
  public static final long BYTES = WORKSPACE + ALIGNMENT;

  /** What a launch is called in messages. */
  public static final String LAUNCH = "of cuBLAS";

  // In native memory: an array of Java's would be held against the garbage collector in each call.
  private static final MemorySegment FACTORS = Arena.global().allocateFrom(JAVA_FLOAT, 0, 1, -1);

  private static final Pointer ZERO = CudaContext.pointer(FACTORS);
  private static final Pointer ONE = CudaContext.pointer(FACTORS.asSlice(4));
  private static final Pointer MINUS_ONE = CudaContext.pointer(FACTORS.asSlice(8));

  private final CudaContext context;
  private final cublasHandle handle = new cublasHandle();

  /**
   * Opens the library for the context's stream.
   *
   * @param tf32 whether factors may be rounded to 10 bits of mantissa, which newer cards multiply
   *     several times as fast
   */
  public CublasProducts(CudaContext context, boolean tf32) {
    this.context = context;
    context.enter();
    check(JCublas2.cublasCreate(handle), "cublasCreate");
    check(JCublas2.cublasSetStream(handle, new cudaStream_t(context.stream())), "cublasSetStream");
    check(
        JCublas2.cublasSetMathMode(
            handle, tf32 ? cublasMath.CUBLAS_TF32_TENSOR_OP_MATH : cublasMath.CUBLAS_DEFAULT_MATH),
        "cublasSetMathMode");
  }

  /** {@code 12.6.4}. */
  public String version() {
    int[] version = new int[1];
    check(JCublas2.cublasGetVersion(handle, version), "cublasGetVersion");
    return "%d.%d.%d".formatted(version[0] / 10000, version[0] / 100 % 100, version[0] % 100);
  }

  /**
   * Multiplies once with each transposition that training has, so that code which cuBLAS loads at
   * its first use is there before the card's memory is taken.
   */
  public void loadCode(DeviceMemory memory) {
    int n = 64;
    long matrix = 4L * n * n;
    long at = memory.allocate(3 * matrix + BYTES);
    for (boolean[] transposed : new boolean[][] {{false, false}, {false, true}, {true, false}}) {
      Product p = new Product(transposed[0], transposed[1], n, n, n);
      multiply(p, at, at + matrix, at + 2 * matrix, false, at + 3 * matrix);
    }
    memory.free(at);
  }

  @Override
  public long workspace(Product p) {
    return BYTES;
  }

  @Override
  public void multiply(Product p, long a, long b, long c, boolean accumulate, long workspace) {
    Pointer beta = accumulate ? ONE : ZERO;
    Runnable call = () -> call(p, ONE, a, b, beta, c, workspace);
    context.queue(call, LAUNCH, p, a, b, c, accumulate, workspace);
  }

  @Override
  public boolean subtracts() {
    return true;
  }

  @Override
  public void subtract(Product p, long a, long b, long c, long workspace) {
    Runnable call = () -> call(p, MINUS_ONE, a, b, ONE, c, workspace);
    context.queue(call, LAUNCH, p, a, b, c, "subtract", workspace);
  }

  /** c = alpha op(a) op(b) + beta c. */
  private void call(
      Product p, Pointer alpha, long a, long b, Pointer beta, long c, long workspace) {
    long aligned = (workspace + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    check(
        JCublas2.cublasSetWorkspace(handle, CudaContext.pointer(aligned), WORKSPACE),
        "cublasSetWorkspace");
    // Row-major c is column-major c transposed: c' (n x m) = op(b)' op(a)'.
    check(
        JCublas2.cublasSgemm(
            handle,
            operation(p.transposeB()),
            operation(p.transposeA()),
            p.n(),
            p.m(),
            p.k(),
            alpha,
            CudaContext.pointer(b),
            p.transposeB() ? p.k() : p.n(),
            CudaContext.pointer(a),
            p.transposeA() ? p.m() : p.k(),
            beta,
            CudaContext.pointer(c),
            p.n()),
        "cublasSgemm of %d x %d x %d".formatted(p.m(), p.n(), p.k()));
    context.launched(LAUNCH);
  }

  private static int operation(boolean transpose) {
    return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  private void check(int status, String function) {
    if (status == cublasStatus.CUBLAS_STATUS_SUCCESS) return;
    context.libraryFailed(function, status == cublasStatus.CUBLAS_STATUS_ALLOC_FAILED);
    throw new DeviceException(function + " failed: " + cublasStatus.stringFor(status));
  }

  @Override
  public void close() {
    JCublas2.cublasDestroy(handle);
  }
}
