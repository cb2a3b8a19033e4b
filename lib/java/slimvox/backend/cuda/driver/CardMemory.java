package slimvox.backend.cuda.driver;

import static jcuda.driver.CUevent_flags.CU_EVENT_DISABLE_TIMING;
import static jcuda.driver.CUstream_flags.CU_STREAM_NON_BLOCKING;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.backend.cuda.kernels.DeviceMemory;

/**
 * A card's memory.
 *
 * <p>Copies from the host go through two page-locked buffers in turn: while the card reads one by
 * itself the host fills the other, and then goes on without waiting for the card. What is staged
 * goes the same way on a stream of its own, beside the kernels.
 */
final class CardMemory implements DeviceMemory, AutoCloseable {
  private static final long PART = 8L << 20;
  private static final int PARTS = 2;

  private record Block(CUdeviceptr pointer, long bytes) {}

  /** A pointer that gives its address away. */
  private static final class Allocation extends CUdeviceptr {
    long address() {
      return getNativePointer();
    }
  }

  /** A page-locked buffer, and when the card has done with it. */
  private static final class Pinned {
    final Pointer pointer = new Pointer();
    final CUevent done = new CUevent();
    MemorySegment bytes;
    boolean inUse;
  }

  private final CudaContext context;
  private final Map<Long, Block> blocks = new HashMap<>();
  private final Pinned[] pinned = new Pinned[PARTS];
  private final CUstream copies = new CUstream();
  private final CUevent staged = new CUevent();
  private final CUevent taken = new CUevent();
  private float[] stagedValues; // null: nothing is waiting
  private long stagedAt;
  private int next;
  private final Map<Long, Integer> numbers = new HashMap<>(); // what is there
  private long allocated;

  CardMemory(CudaContext context) {
    this.context = context;
    for (int i = 0; i < PARTS; i++) pinned[i] = pin();
    context.check(JCudaDriver.cuStreamCreate(copies, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    context.check(JCudaDriver.cuEventCreate(staged, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    context.check(JCudaDriver.cuEventCreate(taken, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
  }

  private Pinned pin() {
    Pinned p = new Pinned();
    context.enter();
    context.check(JCudaDriver.cuMemHostAlloc(p.pointer, PART, 0), "cuMemHostAlloc");
    p.bytes = MemorySegment.ofBuffer(p.pointer.getByteBuffer(0, PART));
    context.check(JCudaDriver.cuEventCreate(p.done, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    return p;
  }

  /** Bytes that were asked for and not returned. */
  long allocated() {
    return allocated;
  }

  @Override
  public long allocate(long bytes) {
    context.enter();
    Allocation pointer = new Allocation();
    int status = JCudaDriver.cuMemAlloc(pointer, bytes);
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      long[] memory = context.memory();
      throw new OutOfDeviceMemoryException(
          String.format(
              Locale.ROOT,
              "out of device memory: %.1f MiB more are needed, of the %.1f MiB of %s %.1f MiB are"
                  + " free (%.1f MiB are this run's)",
              bytes / 1048576.0,
              memory[1] / 1048576.0,
              context.card().name(),
              memory[0] / 1048576.0,
              allocated / 1048576.0));
    }
    context.check(status, "cuMemAlloc of " + bytes + " bytes");
    long address = pointer.address();
    blocks.put(address, new Block(pointer, bytes));
    allocated += bytes;
    return address;
  }

  @Override
  public void free(long address) {
    Block block = blocks.remove(address);
    if (block == null) throw new IllegalArgumentException("no block at " + address);
    allocated -= block.bytes();
    if (context.failed()) return; // the driver takes it back when the process ends
    context.settleQueued("freeing"); // what is queued may use it
    numbers.clear(); // it may have been there
    context.check(JCudaDriver.cuMemFree(block.pointer()), "cuMemFree");
  }

  @Override
  public void upload(MemorySegment host, long address) {
    context.issue();
    boolean staged = host.heapBase().orElse(null) instanceof float[] x && takeStaged(x, address);
    if (staged) return;
    send(host, address, context.stream());
  }

  /** Copies from the host on a stream, which may be computing or not. */
  private void send(MemorySegment host, long address, CUstream stream) {
    context.enter();
    for (long at = 0; at < host.byteSize(); at += PART) {
      long bytes = Math.min(PART, host.byteSize() - at);
      Pinned p = pinned[next];
      next = (next + 1) % PARTS;
      if (p.inUse) context.check(JCudaDriver.cuEventSynchronize(p.done), "copying to the card");
      MemorySegment.copy(host, at, p.bytes, 0, bytes);
      context.check(
          JCudaDriver.cuMemcpyHtoDAsync(
              CudaContext.pointer(address + at), p.pointer, bytes, stream),
          "copying to the card");
      context.check(JCudaDriver.cuEventRecord(p.done, stream), "cuEventRecord");
      p.inUse = true;
    }
  }

  @Override
  public boolean stages() {
    return true;
  }

  @Override
  public void stage(float[] values, long buffer) {
    context.enter();
    // The batch before has to be out of the buffer; the event counts as passed before its first
    // use.
    context.check(JCudaDriver.cuStreamWaitEvent(copies, taken, 0), "cuStreamWaitEvent");
    send(MemorySegment.ofArray(values), buffer, copies);
    context.check(JCudaDriver.cuEventRecord(staged, copies), "cuEventRecord");
    stagedValues = values;
    stagedAt = buffer;
  }

  /**
   * Copies what was staged last to {@code address}, if it was this array and nothing else has been
   * asked for since; else does nothing and returns false.
   */
  boolean takeStaged(float[] values, long address) {
    boolean fits = stagedValues == values;
    stagedValues = null;
    if (!fits) return false;
    context.enter();
    CUstream stream = context.stream();
    context.check(JCudaDriver.cuStreamWaitEvent(stream, staged, 0), "cuStreamWaitEvent");
    copyNow(stagedAt, address, 4L * values.length); // kept back, it would come after `taken`
    context.check(JCudaDriver.cuEventRecord(taken, stream), "cuEventRecord");
    return true;
  }

  @Override
  public void download(long address, MemorySegment host) {
    context.enter();
    context.issue();
    for (long at = 0; at < host.byteSize(); at += PART) {
      long bytes = Math.min(PART, host.byteSize() - at);
      Pinned p = pinned[0];
      if (p.inUse) context.check(JCudaDriver.cuEventSynchronize(p.done), "copying to the card");
      p.inUse = false;
      context.check(
          JCudaDriver.cuMemcpyDtoHAsync(
              p.pointer, CudaContext.pointer(address + at), bytes, context.stream()),
          "copying from the card");
      context.synchronize("copying from the card");
      MemorySegment.copy(p.bytes, 0, host, at, bytes);
    }
  }

  @Override
  public void copy(long from, long to, long bytes) {
    context.queue(() -> copyNow(from, to, bytes), "copy", from, to, bytes);
  }

  private void copyNow(long from, long to, long bytes) {
    context.check(
        JCudaDriver.cuMemcpyDtoDAsync(
            CudaContext.pointer(to), CudaContext.pointer(from), bytes, context.stream()),
        "copying on the card");
  }

  @Override
  public void fill(long address, int value, int width, long count) {
    context.queue(() -> set(address, value, width, count), "fill", address, value, width, count);
  }

  @Override
  public void number(long address, int value) {
    context.enter();
    boolean first = context.graph().isFirst(address);
    if (Objects.equals(numbers.put(address, value), value)) return;
    if (!first) context.issue(); // what is kept back wants it as it was
    set(address, value, 4, 1);
  }

  private void set(long address, int value, int width, long count) {
    CUdeviceptr to = CudaContext.pointer(address);
    CUstream stream = context.stream();
    int status =
        switch (width) {
          case 1 -> JCudaDriver.cuMemsetD8Async(to, (byte) value, count, stream);
          case 2 -> JCudaDriver.cuMemsetD16Async(to, (short) value, count, stream);
          default -> JCudaDriver.cuMemsetD32Async(to, value, count, stream);
        };
    context.check(status, "filling");
  }

  @Override
  public void close() {
    for (Block block : blocks.values()) JCudaDriver.cuMemFree(block.pointer());
    blocks.clear();
    allocated = 0;
    JCudaDriver.cuEventDestroy(staged);
    JCudaDriver.cuEventDestroy(taken);
    JCudaDriver.cuStreamDestroy(copies);
    for (Pinned p : pinned) {
      JCudaDriver.cuEventDestroy(p.done);
      JCudaDriver.cuMemFreeHost(p.pointer);
    }
  }
}
