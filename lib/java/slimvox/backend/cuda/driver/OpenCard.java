package slimvox.backend.cuda.driver;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Convolutions;
import slimvox.backend.Hardware;
import slimvox.backend.Hardware.KernelTime;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.libraries.Bindings;
import slimvox.backend.cuda.libraries.CublasProducts;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.Cudnn;
import slimvox.backend.cuda.libraries.CudnnConvolutions;
import slimvox.backend.cuda.libraries.CudnnFailure;
import slimvox.backend.cuda.libraries.CudnnFound;
import slimvox.backend.cuda.libraries.Library;

/**
 * A card that is ready to compute: context, memory, kernels, matrix products and convolutions,
 * closed in the right order.
 */
public final class OpenCard implements Hardware {
  private final CudaContext context;
  private final CardUse use;
  private final long contextBytes;
  private final String description;
  private CardMemory memory; // null: not opened yet, or not used
  private NvrtcLauncher launcher;
  private CublasProducts cublas;
  private Cudnn cudnn;
  private boolean closed;

  /**
   * Opens a card.
   *
   * @throws UnsupportedOperationException if a library cannot be loaded
   * @throws slimvox.backend.DeviceException if the card or a kernel fails
   */
  public OpenCard(
      CudaLibraries libraries,
      Driver driver,
      List<KernelSource> sources,
      boolean tf32,
      CudnnFound cudnnFound) {
    Bindings.load(libraries);
    context = new CudaContext(driver.card());
    try {
      KernelCompiler compiler = new KernelCompiler(driver.card().capability());
      memory = new CardMemory(context);
      launcher = new NvrtcLauncher(context, compiler, sources);
      if (libraries.has(Library.CUBLAS)) cublas = new CublasProducts(context, tf32);
      String convolutions = "";
      if (cudnnFound.library() != null) {
        convolutions = ", cuDNN " + cudnnFound.library().version();
        try {
          cudnn = new Cudnn(cudnnFound.library(), context, tf32, cudnnFound.workspace());
        } catch (CudnnFailure e) {
          convolutions += " not used (" + e.getMessage() + ")";
        }
      }
      use = CardUse.of(libraries, context.busId());
      description =
          "%s; driver for CUDA %s, NVRTC %s, %s%s%s"
              .formatted(
                  driver.card(),
                  driver.versionText(),
                  compiler.version(),
                  cublas == null
                      ? "own matrix products (no cuBLAS found)"
                      : "cuBLAS " + cublas.version(),
                  convolutions,
                  tf32 ? ", TF32" : "");
      contextBytes = driverBytes();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** One line about the card and its libraries. */
  public String description() {
    return description;
  }

  CudaContext context() {
    return context;
  }

  /** Its memory. */
  public DeviceMemory memory() {
    return memory;
  }

  /** Starts kernels on it. */
  public Launcher launcher() {
    return launcher;
  }

  /** cuBLAS, or null where it was not found. */
  public MatrixProducts cublas() {
    return cublas;
  }

  /** Convolutions by cuDNN before {@code own}; {@code own} alone where it is not used. */
  public Convolutions.Kernels convolutions(Convolutions.Kernels own) {
    return cudnn == null ? own : new CudnnConvolutions(cudnn, own, launcher);
  }

  /** The driver's count of this process; where it has none, of all processes. */
  private long driverBytes() {
    long process = use == null ? -1 : use.process();
    if (process > 0) return process;
    long[] bytes = context.memory();
    return bytes[1] - bytes[0];
  }

  /**
   * The driver's side of the memory, in bytes: {@code blocks}, what was asked of it; {@code
   * context}, what it used before the first block (context, kernels, cuBLAS's and cuDNN's own; of
   * all processes where it cannot tell them apart); {@code driver}, its count now; {@code card},
   * all processes; {@code total}, the card's memory.
   */
  @Override
  public Map<String, Long> driverMemory() {
    long[] bytes = context.memory();
    Map<String, Long> all = new LinkedHashMap<>();
    all.put("blocks", memory.allocated());
    all.put("context", contextBytes);
    all.put("driver", driverBytes());
    long card = use == null ? -1 : use.card();
    all.put("card", card >= 0 ? card : bytes[1] - bytes[0]);
    all.put("total", bytes[1]);
    return all;
  }

  @Override
  public void timeKernels() {
    context.timeKernels();
  }

  @Override
  public List<KernelTime> kernelTimes() {
    return context.kernelTimes();
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    context.settle();
    if (cudnn != null) cudnn.close();
    if (cublas != null) cublas.close();
    if (launcher != null) launcher.close();
    if (memory != null) memory.close();
    context.close();
  }
}
