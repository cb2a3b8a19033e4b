package slimvox.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import slimvox.backend.Convolutions;
import slimvox.backend.Hardware;
import slimvox.backend.Matrices.Product;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.libraries.CublasProducts;

/**
 * A card that takes every launch and computes nothing, of any size: what steps at full size ask of
 * a card can be looked at. Memory is addresses only and reads as zeros.
 *
 * <p>Every pointer must be null or lie in a live block, and on a multiple of what it points to. A
 * block may be freed only when the card was waited for since its last use.
 */
final class IdleCard implements DeviceMemory, Launcher, MatrixProducts {
  /**
   * A kind of launch: a kernel, its blocks and threads, a letter for each argument: l, i, f, or s
   * for a table of tensors.
   */
  record Launch(String kernel, Grid grid, String types) {}

  /** Bytes of a table of 64 tensors: six pointers, two ints each. */
  static final int TABLE = 64 * (6 * 8 + 2 * 4);

  private static final long FIRST = 1L << 40; // no int is taken for an address

  private final TreeMap<Long, Long> blocks = new TreeMap<>(); // end by start
  private final Map<Long, String> queued =
      new HashMap<>(); // by start, the last launch that uses it
  private final Set<Launch> launches = new HashSet<>();
  private final Map<String, Integer> counts = new TreeMap<>();
  private final Map<String, KernelWork> work = new TreeMap<>();
  private final Set<String> unaligned = new HashSet<>();
  private final Map<Long, Integer> numbers = new HashMap<>();
  private long next = FIRST;

  /** The device on this card: products by cuBLAS's rules, our own convolutions. */
  CudaDevice device(boolean tf32) {
    return device(new TiledConvolutions(this, this, tf32));
  }

  /** The same with other convolutions. */
  CudaDevice device(Convolutions.Kernels convolutions) {
    return new CudaDevice("idle", this, this, this, convolutions, new Hardware() {});
  }

  /** Every kind of launch since the last {@link #forget}. */
  Set<Launch> launches() {
    return launches;
  }

  /** How often each kernel, {@code cuBLAS}, {@code copy} and {@code fill} was launched. */
  Map<String, Integer> counts() {
    return counts;
  }

  /** Kernels and numbers of arguments that were addresses between multiples of 16. */
  Set<String> unaligned() {
    return unaligned;
  }

  /** What the kernels that take the time of a step had to do. */
  Map<String, KernelWork> work() {
    return work;
  }

  void forget() {
    counts.clear();
    work.clear();
  }

  @Override
  public void launch(String kernel, Grid grid, Object... arguments) {
    StringBuilder types = new StringBuilder();
    Object[] values = Launcher.values(arguments);
    for (int i = 0; i < values.length; i++) {
      switch (values[i]) {
        case Long v -> {
          types.append('l');
          if (v >= FIRST && v < next) check(kernel + " " + i, v, 4);
        }
        case Integer v -> types.append('i');
        case Float v -> types.append('f');
        case MemorySegment struct -> {
          types.append('s');
          checkTensors(kernel, struct);
        }
        default -> throw new AssertionError(kernel + ": argument " + i + " is " + values[i]);
      }
    }
    launches.add(new Launch(kernel, grid, types.toString()));
    counts.merge(kernel, 1, Integer::sum);
    KernelWork one = KernelWork.of(kernel, values);
    if (one != null) work.merge(kernel, one, KernelWork::plus);
  }

  /** Addresses of up to 6 buffers of 64 tensors, see ManyTensors. */
  private void checkTensors(String kernel, MemorySegment struct) {
    for (int i = 0; i < 6 * 64; i++) {
      long address = struct.getAtIndex(ValueLayout.JAVA_LONG, i);
      if (address != 0) check(kernel + " " + i / 64, address, 4);
    }
  }

  private void check(String what, long address, long bytes) {
    Map.Entry<Long, Long> block = blocks.floorEntry(address);
    if (block == null || address + bytes > block.getValue()) {
      throw new AssertionError(what + " is an address outside all blocks");
    }
    queued.put(block.getKey(), what);
    if (address % 16 != 0) unaligned.add(what);
  }

  @Override
  public long workspace(Product p) {
    return CublasProducts.BYTES;
  }

  @Override
  public void multiply(Product p, long a, long b, long c, boolean accumulate, long workspace) {
    check("cuBLAS a", a, 4L * p.m() * p.k());
    check("cuBLAS b", b, 4L * p.k() * p.n());
    check("cuBLAS c", c, 4L * p.m() * p.n());
    check("cuBLAS workspace", workspace, CublasProducts.BYTES);
    counts.merge("cuBLAS", 1, Integer::sum);
    work.merge("cuBLAS", KernelWork.of(p, accumulate), KernelWork::plus);
  }

  @Override
  public boolean subtracts() {
    return true;
  }

  @Override
  public void subtract(Product p, long a, long b, long c, long workspace) {
    multiply(p, a, b, c, true, workspace);
  }

  @Override
  public long allocate(long bytes) {
    long at = next;
    next += (bytes + 1023) / 512 * 512; // never side by side
    blocks.put(at, at + bytes);
    return at;
  }

  @Override
  public void free(long address) {
    if (blocks.remove(address) == null) throw new AssertionError("no block at " + address);
    String user = queued.get(address);
    if (user != null)
      throw new AssertionError(user + " is a block that is freed while it is queued");
  }

  @Override
  public void upload(MemorySegment host, long address) {
    check("upload", address, host.byteSize());
  }

  @Override
  public void download(long address, MemorySegment host) {
    check("download", address, host.byteSize());
    queued.clear();
    host.fill((byte) 0);
  }

  @Override
  public void copy(long from, long to, long bytes) {
    check("copy's source", from, bytes);
    check("copy's target", to, bytes);
    counts.merge("copy", 1, Integer::sum);
  }

  @Override
  public void number(long address, int value) {
    if (Objects.equals(numbers.put(address, value), value)) return; // as CardMemory does
    check("number", address, 4);
    counts.merge("number", 1, Integer::sum);
  }

  @Override
  public void fill(long address, int value, int width, long count) {
    check("fill", address, width * count);
    counts.merge("fill", 1, Integer::sum);
  }
}
