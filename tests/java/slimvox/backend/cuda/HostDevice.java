package slimvox.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.TreeMap;
import slimvox.backend.Convolutions;
import slimvox.backend.Hardware;
import slimvox.backend.cuda.driver.CardStream;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.kernels.TiledProducts;
import slimvox.backend.cuda.libraries.Cudnn;
import slimvox.backend.cuda.libraries.CudnnConvolutions;
import slimvox.backend.cuda.libraries.CudnnLibrary;

/**
 * A card played by the host: {@link CudaDevice} on kernels compiled for the processor.
 *
 * <p>Blocks lie between guards of NaN that nobody may write; fresh memory is NaN.
 */
@SuppressWarnings("restricted") // raw addresses
public final class HostDevice implements DeviceMemory, Launcher {
  private static final int GUARD = 4096;
  private static final byte PATTERN = (byte) 0xFF; // of float32, a NaN

  private record Block(Arena arena, MemorySegment all) {}

  private final TreeMap<Long, Block> blocks = new TreeMap<>();
  private final boolean backwards;
  private int downloads;

  /** The memory and launches of such a device. */
  public HostDevice(boolean backwards) {
    this.backwards = backwards;
    HostKernels.load();
  }

  /**
   * A device with our own products and convolutions.
   *
   * @param backwards run the threads of a block from the last to the first
   */
  public static CudaDevice open(boolean backwards) {
    return open(backwards, false);
  }

  /** The same with convolutions of factors rounded to TF32. */
  public static CudaDevice open(boolean backwards, boolean tf32) {
    return new HostDevice(backwards).device(tf32);
  }

  /** The same as a device that normalizes before it convolves, in a tensor of its own. */
  static CudaDevice normalizingBefore() {
    HostDevice host = new HostDevice(false);
    TiledProducts products = new TiledProducts(host);
    Convolutions.Kernels own = new TiledConvolutions(host, products, false);
    return host.device(products, normalizingBefore(own), host::checkNothingLeft);
  }

  static Convolutions.Kernels normalizingBefore(Convolutions.Kernels own) {
    return (Convolutions.Kernels)
        Proxy.newProxyInstance(
            HostDevice.class.getClassLoader(),
            new Class<?>[] {Convolutions.Kernels.class},
            (_, method, arguments) ->
                method.getName().equals("normalizes") ? false : method.invoke(own, arguments));
  }

  /** The device of this memory and these launches. */
  public CudaDevice device(boolean tf32) {
    TiledProducts products = new TiledProducts(this);
    return device(products, new TiledConvolutions(this, products, tf32), this::checkNothingLeft);
  }

  /** How often a card would have been waited for. */
  public int downloads() {
    return downloads;
  }

  /** A device whose convolutions are done by a cuDNN before our own, with 16 MiB of workspace. */
  public static CudaDevice open(boolean backwards, boolean tf32, CudnnLibrary library) {
    HostDevice host = new HostDevice(backwards);
    TiledProducts products = new TiledProducts(host);
    Cudnn cudnn = new Cudnn(library, STREAM, tf32, 16 << 20);
    Convolutions.Kernels own = new TiledConvolutions(host, products, tf32);
    Runnable onClose =
        () -> {
          cudnn.close();
          host.checkNothingLeft();
        };
    return host.device(products, new CudnnConvolutions(cudnn, own, host), onClose);
  }

  private CudaDevice device(
      MatrixProducts products, Convolutions.Kernels convolutions, Runnable onClose) {
    Hardware hardware =
        new Hardware() {
          @Override
          public void close() {
            onClose.run();
          }
        };
    return new CudaDevice("kernels on the host", this, this, products, convolutions, hardware);
  }

  /** What stands for a stream where everything is done when the call returns. */
  public static final CardStream STREAM =
      new CardStream() {
        @Override
        public long address() {
          return 1;
        }

        @Override
        public void enter() {}

        @Override
        public void queue(Runnable call, Object... key) {
          call.run();
        }

        @Override
        public boolean keepsBack() {
          return false;
        }

        @Override
        public void issue() {}

        @Override
        public void launched(String what) {}

        @Override
        public void libraryFailed(String what, boolean outOfMemory) {}
      };

  @Override
  public void launch(String kernel, Grid grid, Object... arguments) {
    StringBuilder types = new StringBuilder();
    Object[] passed = Launcher.values(arguments);
    long[] values = new long[passed.length];
    for (int i = 0; i < values.length; i++) {
      switch (passed[i]) {
        case Long v -> {
          types.append('l');
          values[i] = v;
        }
        case Integer v -> {
          types.append('i');
          values[i] = v & 0xFFFFFFFFL;
        }
        case Float v -> {
          types.append('f');
          values[i] = Float.floatToRawIntBits(v) & 0xFFFFFFFFL;
        }
        case MemorySegment struct -> {
          types.append('s');
          values[i] = struct.address();
        }
        default -> throw new AssertionError(kernel + ": argument " + i + " is " + passed[i]);
      }
    }
    HostKernels.run(kernel, grid, types.toString(), values, backwards);
  }

  @Override
  public long allocate(long bytes) {
    Arena arena = Arena.ofShared();
    MemorySegment all = arena.allocate(bytes + 2 * GUARD, 256);
    all.fill(PATTERN);
    blocks.put(all.address() + GUARD, new Block(arena, all));
    return all.address() + GUARD;
  }

  @Override
  public void free(long address) {
    Block block = blocks.remove(address);
    if (block == null) throw new AssertionError("no block at " + address);
    long size = block.all.byteSize();
    for (long i = 0; i < GUARD; i++) {
      if (block.all.get(ValueLayout.JAVA_BYTE, i) != PATTERN
          || block.all.get(ValueLayout.JAVA_BYTE, size - 1 - i) != PATTERN) {
        throw new AssertionError(
            "somebody wrote beside a buffer of %d bytes".formatted(size - 2 * GUARD));
      }
    }
    block.arena.close();
  }

  /** The block that an address lies in, or null. */
  MemorySegment blockAt(long address) {
    Map.Entry<Long, Block> before = blocks.floorEntry(address);
    if (before == null) return null;
    MemorySegment all = before.getValue().all();
    MemorySegment block = all.asSlice(GUARD, all.byteSize() - 2 * GUARD);
    return address < block.address() + block.byteSize() ? block : null;
  }

  private void checkNothingLeft() {
    if (!blocks.isEmpty()) throw new AssertionError(blocks.size() + " blocks were not returned");
  }

  private static MemorySegment at(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  @Override
  public void upload(MemorySegment host, long address) {
    at(address, host.byteSize()).copyFrom(host);
  }

  @Override
  public void download(long address, MemorySegment host) {
    downloads++;
    host.copyFrom(at(address, host.byteSize()));
  }

  @Override
  public void copy(long from, long to, long bytes) {
    at(to, bytes).copyFrom(at(from, bytes));
  }

  @Override
  public void fill(long address, int value, int width, long count) {
    MemorySegment to = at(address, width * count);
    for (long i = 0; i < count; i++) {
      switch (width) {
        case 1 -> to.set(ValueLayout.JAVA_BYTE, i, (byte) value);
        case 2 -> to.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) value);
        default -> to.setAtIndex(ValueLayout.JAVA_INT, i, value);
      }
    }
  }
}
