package slimvox.backend.cpu;

import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.cpu.kernels.CpuBinary;
import slimvox.backend.cpu.kernels.CpuElementwise;
import slimvox.backend.cpu.kernels.CpuMargin;
import slimvox.backend.cpu.kernels.CpuMatrices;
import slimvox.backend.cpu.kernels.CpuNormalization;
import slimvox.backend.cpu.kernels.CpuPooling;
import slimvox.backend.cpu.kernels.CpuRearrangement;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.backend.cpu.optim.CpuOptimizers;
import slimvox.backend.cpu.packed.CpuPacked;
import slimvox.storage.InputException;

/**
 * The processor: oneDNN for convolutions and matrix products, the Vector API for everything else,
 * both on the same OpenMP threads.
 *
 * <p>With the same number of threads the same calls give the same bits. One thread at a time may
 * use a device.
 */
public final class CpuDevice implements Device {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";

  private final MathMode math;
  private final OneDnn oneDnn;
  private final Parallel parallel;
  private final HostMemory memory;
  private boolean closed;

  private CpuDevice(int threads, MathMode math) {
    this.math = math;
    oneDnn = OneDnn.open(threads, math);
    parallel = oneDnn.parallel();
    memory = new HostMemory(parallel);
  }

  /** Opens the processor in float32; see {@link #open(int, MathMode)}. */
  public static CpuDevice open(int threads) {
    return open(threads, MathMode.FLOAT32);
  }

  /**
   * Opens the processor.
   *
   * @param threads how many threads to use; 0 for one per core
   * @param math what convolutions and products may round their factors to
   * @throws InputException if the number is negative or the JVM runs without the Vector API
   */
  public static CpuDevice open(int threads, MathMode math) {
    if (threads < 0) {
      throw new InputException("threads: " + threads + " is negative; 0 means one per core");
    }
    // Checked before any class is loaded that mentions a vector.
    if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
      throw new InputException(
          "the CPU backend needs the Vector API: start Java with --add-modules=" + VECTOR_MODULE);
    }
    return new CpuDevice(threads == 0 ? Runtime.getRuntime().availableProcessors() : threads, math);
  }

  /** The threads that the operations run on, for kernels of other packages. */
  public Parallel parallel() {
    return parallel;
  }

  /** The library behind convolutions and matrix products. */
  public OneDnn oneDnn() {
    return oneDnn;
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "oneDNN %s, %d %s (%s), vectors of %d bits%s"
        .formatted(
            oneDnn.version(),
            parallel.threads(),
            parallel.threads() == 1 ? "thread" : "threads",
            parallel.kind(),
            Lanes.FLOATS.vectorBitSize(),
            math == MathMode.BFLOAT16 ? ", " + OneDnn.bfloat16Math() : "");
  }

  @Override
  public boolean takes(DataType type) {
    return true;
  }

  @Override
  public Memory memory() {
    return memory;
  }

  @Override
  public Families kernels() {
    return new Families(
        new CpuElementwise(parallel),
        new CpuMatrices(oneDnn),
        oneDnn,
        new CpuNormalization(parallel),
        new CpuRearrangement(parallel),
        new CpuPooling(parallel),
        new CpuMargin(parallel),
        new CpuBinary(parallel),
        new CpuOptimizers(parallel),
        new CpuPacked(parallel));
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    memory.freeAll();
    oneDnn.close();
  }
}
