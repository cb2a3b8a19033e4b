package slimvox.backend.cuda;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Hardware;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.kernels.TiledProducts;

/**
 * Launches on the host that are also recorded, with every byte of the buffers that they are given,
 * before and after: tests/cuda/threads.cpp runs them again.
 */
final class RecordedLaunches implements Launcher {
  private static final int MOST_BLOCKS = 12; // a thread of the host for each of their threads
  private static final int POINTERS_OF_TABLE = 6 * 64; // see ManyTensors

  private final HostDevice host = new HostDevice(false);
  private final ByteArrayOutputStream file = new ByteArrayOutputStream();
  private final Map<String, Integer> counts = new HashMap<>();
  private final int most;

  /** Records so many launches of each kernel, the first small ones. */
  RecordedLaunches(int most) {
    this.most = most;
  }

  /** The device whose launches are recorded. */
  CudaDevice device(boolean tf32) {
    TiledProducts products = new TiledProducts(this);
    TiledConvolutions convolutions = new TiledConvolutions(this, products, tf32);
    return new CudaDevice("recorded", host, this, products, convolutions, new Hardware() {});
  }

  /** The memory of this device. */
  HostDevice memory() {
    return host;
  }

  /** How many launches of each kernel are recorded. */
  Map<String, Integer> counts() {
    return counts;
  }

  byte[] bytes() {
    return file.toByteArray();
  }

  /** A place that holds an address: of an argument, or in a buffer. */
  private record Pointer(int in, long place, int to, long offset) {}

  /** The buffers that a launch knows of. */
  private final class Buffers {
    final List<MemorySegment> all = new ArrayList<>();
    final List<byte[]> before = new ArrayList<>();
    final List<Pointer> pointers = new ArrayList<>();

    int add(MemorySegment buffer) {
      for (int i = 0; i < all.size(); i++) {
        if (all.get(i).address() == buffer.address()) return i;
      }
      all.add(buffer);
      before.add(buffer.toArray(ValueLayout.JAVA_BYTE));
      return all.size() - 1;
    }

    /** Notes where a value points to, if it is an address. */
    void point(int in, long place, long value) {
      MemorySegment to = host.blockAt(value);
      if (to == null) return;
      pointers.add(new Pointer(in, place, add(to), value - to.address()));
    }
  }

  @Override
  public void launch(String kernel, Grid grid, Object... arguments) {
    boolean small = grid.x() * grid.y() * grid.z() <= MOST_BLOCKS;
    if (!small || counts.merge(kernel, 1, Integer::sum) > most) {
      host.launch(kernel, grid, arguments);
      return;
    }
    StringBuilder types = new StringBuilder();
    List<Long> values = new ArrayList<>();
    Buffers buffers = new Buffers();
    int tables = 0; // whose bytes are no result
    Object[] passed = Launcher.values(arguments);
    for (int i = 0; i < passed.length; i++) {
      switch (passed[i]) {
        case Long v -> {
          types.append('l');
          values.add(v);
          buffers.point(-1, i, v);
        }
        case MemorySegment table -> {
          types.append('s');
          values.add(0L);
          int number = buffers.add(table);
          buffers.pointers.add(new Pointer(-1, i, number, 0));
          for (int p = 0; p < POINTERS_OF_TABLE; p++) {
            buffers.point(number, 8L * p, table.getAtIndex(ValueLayout.JAVA_LONG, p));
          }
          tables++;
        }
        case Integer v -> {
          types.append('i');
          values.add((long) v);
        }
        case Float v -> {
          types.append('f');
          values.add((long) Float.floatToRawIntBits(v));
        }
        default -> throw new AssertionError(kernel + ": argument " + i);
      }
    }
    host.launch(kernel, grid, arguments);
    put(kernel.getBytes(StandardCharsets.UTF_8));
    put(grid.x(), grid.y(), grid.z(), grid.blockX(), grid.blockY(), grid.blockZ());
    put(types.toString().getBytes(StandardCharsets.UTF_8));
    values.forEach(this::put);
    put(buffers.all.size());
    for (int b = 0; b < buffers.all.size(); b++) {
      put(buffers.before.get(b));
      boolean table = b == 0 && tables > 0;
      put(table ? new byte[0] : buffers.all.get(b).toArray(ValueLayout.JAVA_BYTE));
    }
    put(buffers.pointers.size());
    for (Pointer p : buffers.pointers) put(p.in, p.place, p.to, p.offset);
  }

  private void put(long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (long v : values) bytes.putLong(v);
    file.writeBytes(bytes.array());
  }

  private void put(byte[] bytes) {
    put(bytes.length);
    file.writeBytes(bytes);
  }
}
