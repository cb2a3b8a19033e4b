package slimvox.backend.cuda.driver;

import static jcuda.driver.CUstream_flags.CU_STREAM_NON_BLOCKING;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import slimvox.backend.DeviceException;
import slimvox.backend.Hardware.KernelTime;
import slimvox.backend.OutOfDeviceMemoryException;

/**
 * One card as this process uses it: its primary context, the stream that computes, and what has
 * gone wrong.
 *
 * <p>Kernels run long after they were launched, and an error shows at some later call, the same
 * error at every call from then on. So each message says which kernels may have caused it.
 */
public final class CudaContext implements CardStream, AutoCloseable {
  /** A stream that gives its handle away. */
  private static final class Stream extends CUstream {
    long address() {
      return getNativePointer();
    }
  }

  /** An address of the host as JCuda wants it. */
  private static final class HostAddress extends Pointer {
    HostAddress(MemorySegment memory) {
      super(memory.address());
    }
  }

  private final Driver.Card card;
  private final CUdevice device = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final Stream stream = new Stream();
  private final boolean synchronous = Boolean.getBoolean("slimvox.cuda.synchronous");
  private Thread current;
  private String firstKernel; // launched since the stream was last waited for
  private String lastKernel;
  private DeviceException failure;
  private CardUse use; // null: the count of all processes is all there is
  private KernelTimes times; // null: nobody wants to know
  private final StepGraph graph = new StepGraph(this);

  /** Makes the context of a card. */
  CudaContext(Driver.Card card) {
    this.card = card;
    open(JCudaDriver.cuInit(0), "cuInit");
    open(JCudaDriver.cuDeviceGet(device, card.ordinal()), "cuDeviceGet");
    open(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
    try {
      enter();
      open(JCudaDriver.cuStreamCreate(stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    } catch (RuntimeException | Error e) {
      JCudaDriver.cuDevicePrimaryCtxRelease(device); // others, or the CPU, go on without it
      throw e;
    }
  }

  private static void open(int status, String what) {
    if (status == CUresult.CUDA_SUCCESS) return;
    throw new DeviceException(
        "the card cannot be opened: %s at %s; another process may have taken it"
            .formatted(name(status), what));
  }

  Driver.Card card() {
    return card;
  }

  /** The stream on which everything runs in order. */
  public CUstream stream() {
    return stream;
  }

  @Override
  public long address() {
    return stream.address();
  }

  /** Makes the context current in the calling thread; before every call of the driver. */
  @Override
  public void enter() {
    Thread thread = Thread.currentThread();
    if (failure != null) throw new DeviceException(failure.getMessage(), failure);
    if (thread == current) return;
    check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
    current = thread;
  }

  @Override
  public void queue(Runnable call, Object... key) {
    enter();
    graph.queue(call, key);
  }

  @Override
  public boolean keepsBack() {
    return graph.keepsBack();
  }

  @Override
  public void issue() {
    graph.issue();
  }

  /** See {@link slimvox.backend.Hardware#asOne}; kernels that are looked at one by one stay so. */
  void asOne(Runnable step) {
    if (synchronous || times != null) step.run();
    else graph.run(step);
  }

  /** The step that runs as one. */
  StepGraph graph() {
    return graph;
  }

  /** Whether a call has failed; nothing can be computed or freed any more. */
  boolean failed() {
    return failure != null;
  }

  /** Notes a launch, so that a later error can be traced to it. */
  @Override
  public void launched(String kernel) {
    if (firstKernel == null) firstKernel = kernel;
    lastKernel = kernel;
    if (times != null) times.mark(kernel);
    if (synchronous) synchronize("kernel " + kernel);
  }

  /** Notes from now on how long kernels take. */
  void timeKernels() {
    enter();
    times = new KernelTimes(this);
  }

  /** What was noted; nothing is noted any more. */
  List<KernelTime> kernelTimes() {
    enter();
    KernelTimes noted = times;
    times = null;
    return noted == null ? List.of() : noted.read();
  }

  /** Waits until everything launched has run. */
  void synchronize(String what) {
    enter();
    issue();
    check(JCudaDriver.cuStreamSynchronize(stream), what);
    firstKernel = null;
    lastKernel = null;
  }

  /** The same, unless nothing was launched since it was last waited for. */
  void settleQueued(String what) {
    enter();
    issue();
    if (firstKernel != null) synchronize(what);
  }

  /**
   * Looks at what a call of the driver returned.
   *
   * @throws OutOfDeviceMemoryException if the card's memory was not enough; else nothing is wrong
   * @throws DeviceException if it failed; all later calls of {@link #enter} then throw it, too
   */
  void check(int status, String what) {
    if (status == CUresult.CUDA_SUCCESS) return;
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) throw full(what);
    if (graph.captures()) throw new DeviceException(what + ": " + name(status)); // nothing has run
    String kernels =
        firstKernel == null
            ? ""
            : firstKernel.equals(lastKernel)
                ? ", in or after kernel " + lastKernel
                : ", in or after the kernels from " + firstKernel + " to " + lastKernel;
    String hint =
        firstKernel == null || synchronous
            ? ""
            : " (with -Dslimvox.cuda.synchronous=true in SLIMVOX_JVM_OPTS the kernel itself is"
                + " named)";
    failure =
        new DeviceException(
            "the card failed: %s at %s%s%s; the run cannot go on, resume it from its last checkpoint"
                .formatted(name(status), what, kernels, hint));
    throw failure;
  }

  private OutOfDeviceMemoryException full(String what) {
    long[] memory = memory();
    return new OutOfDeviceMemoryException(
        String.format(
            Locale.ROOT,
            "out of device memory at %s: of the %.1f MiB of %s %.1f MiB are free; code is loaded"
                + " when it is first used, leave more to it by a smaller run.memoryBudget",
            what,
            memory[1] / 1048576.0,
            card.name(),
            memory[0] / 1048576.0));
  }

  @Override
  public void libraryFailed(String what, boolean outOfMemory) {
    int status = JCudaDriver.cuStreamQuery(stream);
    if (status != CUresult.CUDA_ERROR_NOT_READY) check(status, what);
    if (outOfMemory) throw full(what);
  }

  /** The driver's name of a status, with its text. */
  static String name(int status) {
    String[] name = {null};
    String[] text = {null};
    JCudaDriver.cuGetErrorName(status, name);
    JCudaDriver.cuGetErrorString(status, text);
    if (name[0] == null) return "error " + status;
    return text[0] == null ? name[0] : name[0] + " (" + text[0] + ")";
  }

  /** Free bytes of the card, all processes counted, and all its bytes. */
  long[] memory() {
    enter();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
    return new long[] {free[0], total[0]};
  }

  /**
   * Bytes of the card in use. A difference is of two of the same kind: a process may not be listed
   * yet, or under another number, when it is asked for one of them.
   *
   * @param process of this process; not positive where that is not known
   * @param all of all processes
   */
  record Count(long process, long all) {
    long of(boolean byProcess) {
      return byProcess ? process : all;
    }

    Taken since(Count before) {
      boolean byProcess = before.process > 0 && process > 0;
      return new Taken(Math.max(0, of(byProcess) - before.of(byProcess)), byProcess);
    }
  }

  /** Bytes between two counts; unless {@code byProcess}, other processes may have taken them. */
  record Taken(long bytes, boolean byProcess) {}

  Count count() {
    long[] bytes = memory();
    return new Count(use == null ? 0 : use.process(), bytes[1] - bytes[0]);
  }

  /** Tells this process from others from now on; null: that is not possible. */
  void countBy(CardUse use) {
    this.use = use;
  }

  /** The card's address on the PCI bus, as the management library wants it; null if unknown. */
  String busId() {
    String[] id = {null};
    int status = JCudaDriver.cuDeviceGetPCIBusId(id, 32, device);
    return status == CUresult.CUDA_SUCCESS ? id[0] : null;
  }

  /** An address of the card as JCuda wants it. */
  public static CUdeviceptr pointer(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }

  /** Memory outside the Java heap as JCuda wants it: nothing is held or copied in a call. */
  public static Pointer pointer(MemorySegment host) {
    return new HostAddress(host);
  }

  /**
   * Waits for everything on the card, in the thread that is about to close what lies in the
   * context: libraries are given back where they were made, and nothing still reads what is freed.
   */
  void settle() {
    // After an error every call fails; the driver frees everything when the process ends.
    JCudaDriver.cuCtxSetCurrent(context);
    JCudaDriver.cuCtxSynchronize();
    current = Thread.currentThread();
  }

  /**
   * Gives the stream back. The context stays until the process ends: cuBLAS and cuDNN keep state in
   * it that is theirs, and a card that is opened again finds it.
   */
  @Override
  public void close() {
    JCudaDriver.cuCtxSetCurrent(context);
    graph.close();
    JCudaDriver.cuStreamDestroy(stream);
    current = null;
  }
}
