package slimvox.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.Map;
import slimvox.backend.Device;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.memory.ArenaPlan;

/**
 * Blocks of memory outside the Java heap, from the C library.
 *
 * <p>Not from a Java {@code Arena}: that counts against {@code -XX:MaxDirectMemorySize}, which is
 * the heap's size unless set. Blocks of 4 MiB and more lie on 2 MiB pages where the system offers
 * them on request (Linux, {@code transparent_hugepage} set to madvise or always), and every page is
 * written once here, so that no step pays for page faults.
 */
final class HostMemory implements Device.Memory {
  private static final long HUGE_PAGE = 2L << 20;
  private static final long WORTH_ASKING = 16L << 20; // to ask is not free, either
  private static final int MADV_HUGEPAGE = 14; // sys/mman.h of Linux

  private final Parallel parallel;
  private final MethodHandle malloc;
  private final MethodHandle free;
  private final MethodHandle madvise; // null where there is none
  private final Map<Long, MemorySegment> blocks = new HashMap<>(); // by aligned address

  @SuppressWarnings("restricted")
  HostMemory(Parallel parallel) {
    this.parallel = parallel;
    Linker linker = Linker.nativeLinker();
    SymbolLookup c = linker.defaultLookup();
    malloc =
        linker.downcallHandle(c.findOrThrow("malloc"), FunctionDescriptor.of(ADDRESS, JAVA_LONG));
    free = linker.downcallHandle(c.findOrThrow("free"), FunctionDescriptor.ofVoid(ADDRESS));
    madvise =
        System.getProperty("os.name").equals("Linux")
            ? linker.downcallHandle(
                c.findOrThrow("madvise"),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT))
            : null;
  }

  /**
   * A block aligned to {@link ArenaPlan#ALIGNMENT}, all zeros.
   *
   * @throws OutOfDeviceMemoryException if the system has not so much; the message says how much
   */
  @Override
  public synchronized long allocate(long bytes) {
    if (bytes >= WORTH_ASKING) SystemMemory.require(bytes);
    boolean huge = bytes >= 2 * HUGE_PAGE;
    long alignment = huge ? HUGE_PAGE : ArenaPlan.ALIGNMENT;
    MemorySegment raw;
    try {
      raw = (MemorySegment) malloc.invokeExact(bytes + alignment);
    } catch (Throwable e) {
      throw new AssertionError(e); // malloc throws nothing
    }
    if (raw.address() == 0) {
      throw SystemMemory.outOfMemory("the system has no %d bytes for a block".formatted(bytes));
    }
    long address = (raw.address() + alignment - 1) / alignment * alignment;
    if (huge && madvise != null) {
      try {
        // A refusal changes nothing but speed.
        int unused =
            (int)
                madvise.invokeExact(
                    MemorySegment.ofAddress(address), bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
      } catch (Throwable e) {
        throw new AssertionError(e);
      }
    }
    parallel.run(
        bytes, 1, (part, from, to) -> Lanes.ALL.asSlice(address + from, to - from).fill((byte) 0));
    blocks.put(address, raw);
    return address;
  }

  @Override
  public synchronized void free(long address) {
    MemorySegment raw = blocks.remove(address);
    if (raw == null) throw new IllegalArgumentException("no block at " + address);
    try {
      free.invokeExact(raw);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void upload(MemorySegment host, long address) {
    MemorySegment.copy(host, 0, Lanes.ALL, address, host.byteSize());
  }

  @Override
  public void download(long address, MemorySegment host) {
    MemorySegment.copy(Lanes.ALL, address, host, 0, host.byteSize());
  }

  /** Returns every block that was not. */
  synchronized void freeAll() {
    for (long address : blocks.keySet().toArray(Long[]::new)) free(address);
  }
}
