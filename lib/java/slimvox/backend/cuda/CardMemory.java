package slimvox.backend.cuda;

import static jcuda.driver.CUevent_flags.CU_EVENT_DISABLE_TIMING;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import slimvox.backend.OutOfDeviceMemoryException;

/**
 * A card's memory.
 *
 * <p>Copies from the host go through two page-locked buffers in turn: while the card reads one by
 * itself the host fills the other, and then goes on without waiting for the card.
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
  private int next;
  private long allocated;

  CardMemory(CudaContext context) {
    this.context = context;
    for (int i = 0; i < PARTS; i++) pinned[i] = pin();
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
    context.enter();
    context.check(JCudaDriver.cuMemFree(block.pointer()), "cuMemFree");
  }

  @Override
  public void upload(MemorySegment host, long address) {
    context.enter();
    for (long at = 0; at < host.byteSize(); at += PART) {
      long bytes = Math.min(PART, host.byteSize() - at);
      Pinned p = pinned[next];
      next = (next + 1) % PARTS;
      if (p.inUse) context.check(JCudaDriver.cuEventSynchronize(p.done), "copying to the card");
      MemorySegment.copy(host, at, p.bytes, 0, bytes);
      context.check(
          JCudaDriver.cuMemcpyHtoDAsync(
              CudaContext.pointer(address + at), p.pointer, bytes, context.stream()),
          "copying to the card");
      context.check(JCudaDriver.cuEventRecord(p.done, context.stream()), "cuEventRecord");
      p.inUse = true;
    }
  }

  @Override
  public void download(long address, MemorySegment host) {
    context.enter();
    for (long at = 0; at < host.byteSize(); at += PART) {
      long bytes = Math.min(PART, host.byteSize() - at);
      Pinned p = pinned[0]; // its last upload is over once the stream has been waited for
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
    context.enter();
    context.check(
        JCudaDriver.cuMemcpyDtoDAsync(
            CudaContext.pointer(to), CudaContext.pointer(from), bytes, context.stream()),
        "copying on the card");
  }

  @Override
  public void zero(long address, long bytes) {
    context.enter();
    context.check(
        JCudaDriver.cuMemsetD8Async(
            CudaContext.pointer(address), (byte) 0, bytes, context.stream()),
        "zeroing");
  }

  @Override
  public void close() {
    for (Block block : blocks.values()) JCudaDriver.cuMemFree(block.pointer());
    blocks.clear();
    allocated = 0;
    for (Pinned p : pinned) {
      JCudaDriver.cuEventDestroy(p.done);
      JCudaDriver.cuMemFreeHost(p.pointer);
    }
  }
}
