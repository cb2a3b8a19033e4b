package slimvox.backend.cuda.driver;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Convolutions;
import slimvox.backend.Hardware;
import slimvox.backend.Hardware.KernelTime;
import slimvox.backend.cuda.driver.CudaContext.Count;
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
  private final CardUse use; // null: cuMemGetInfo's count of all processes is all there is
  private final Count beforeLibraries;
  private final Count opened;
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
      use = CardUse.of(libraries, context.busId());
      context.countBy(use);
      beforeLibraries = context.count();
      if (cublas != null) cublas.loadCode(memory);
      if (cudnnFound.library() != null) {
        convolutions = ", cuDNN " + cudnnFound.library().version();
        try {
          cudnn = new Cudnn(cudnnFound.library(), context, tf32, cudnnFound.workspace());
          cudnn.loadCode(memory);
        } catch (CudnnFailure e) {
          if (cudnn != null) cudnn.close();
          cudnn = null;
          convolutions += " not used (" + e.getMessage() + ")";
        }
      }
      context.synchronize("the libraries' first calls");
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
      opened = context.count();
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

  /**
   * The driver's side of the memory, in bytes: {@code blocks}, what was asked of it; {@code
   * context}, what it used before the first block (context, kernels, cuBLAS's and cuDNN's own; of
   * all processes where it cannot tell them apart); {@code libraries}, cuBLAS's and cuDNN's part of
   * it; {@code driver}, its count now; {@code card}, all processes; {@code total}, the card's
   * memory; where there is one, {@code graph}, what it took for that of a step (of all processes,
   * as above).
   */
  @Override
  public Map<String, Long> driverMemory() {
    Count now = context.count();
    boolean byProcess = beforeLibraries.process() > 0 && opened.process() > 0 && now.process() > 0;
    Map<String, Long> all = new LinkedHashMap<>();
    all.put("blocks", memory.allocated());
    all.put("context", opened.of(byProcess));
    all.put("libraries", opened.of(byProcess) - beforeLibraries.of(byProcess));
    all.put("driver", now.of(byProcess));
    long card = use == null ? -1 : use.card();
    all.put("card", card >= 0 ? card : now.all());
    all.put("total", context.memory()[1]);
    long graph = context.graph().taken().bytes();
    if (graph > 0) all.put("graph", graph);
    return all;
  }

  @Override
  public void asOne(Runnable step) {
    context.asOne(step);
  }

  @Override
  public long graphBytes() {
    CudaContext.Taken taken = context.graph().taken();
    return taken.byProcess() ? taken.bytes() : 0;
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
