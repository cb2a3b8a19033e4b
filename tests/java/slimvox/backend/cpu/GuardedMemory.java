package slimvox.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/** Tensors in native memory between guard bytes, to notice whoever writes beside them. */
@SuppressWarnings("restricted") // reads raw addresses
public final class GuardedMemory implements AutoCloseable {
  private static final int GUARD = 4096;
  private static final byte PATTERN = (byte) 0xA5;

  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> blocks = new ArrayList<>();
  private final Backend backend =
      new Backend(
          proxy(
              Device.class,
              (self, method, arguments) ->
                  switch (method.getName()) {
                    case "memory" ->
                        proxy(
                            Device.Memory.class,
                            (_, m, a) ->
                                m.getName().equals("allocate") ? allocate((long) a[0]) : null);
                    case "close" -> null;
                    case "takes" -> true;
                    default -> InvocationHandler.invokeDefault(self, method, arguments);
                  }));

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private long allocate(long bytes) {
    MemorySegment block = arena.allocate(bytes + 2 * GUARD, 64);
    block.fill(PATTERN);
    blocks.add(block);
    return block.address() + GUARD;
  }

  /** A tensor full of the guard's pattern, which is a tiny negative number. */
  public Tensor tensor(int... lengths) {
    return backend.allocate(Category.ACTIVATION, "tensor", lengths);
  }

  /** A tensor of given values. */
  public Tensor tensor(float[] values, int... lengths) {
    Tensor x = tensor(lengths);
    MemorySegment.copy(values, 0, segment(x), JAVA_FLOAT, 0, values.length);
    return x;
  }

  /** A tensor of bfloat16: the values rounded. */
  public Tensor halves(float[] values, int... lengths) {
    Tensor x =
        backend.allocate(Category.ACTIVATION, "halves", DataType.BFLOAT16, Shape.of(lengths));
    for (int i = 0; i < values.length; i++) Lanes.setBfloat16(x.address(), i, values[i]);
    return x;
  }

  /** Scratch memory full of NaN; null for 0 bytes, as the backend does it. */
  public Tensor workspace(long bytes) {
    if (bytes == 0) return null;
    Tensor w = tensor(Math.toIntExact((bytes + 3) / 4));
    MemorySegment s = segment(w);
    for (long i = 0; i < w.size(); i++) s.setAtIndex(JAVA_FLOAT, i, Float.NaN);
    return w;
  }

  /** Standard normal values. */
  public static float[] normal(Random random, Shape shape) {
    float[] values = new float[Math.toIntExact(shape.size())];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  public static float[] values(Tensor x) {
    if (x.type() == DataType.BFLOAT16) {
      float[] values = new float[Math.toIntExact(x.size())];
      for (int i = 0; i < values.length; i++) values[i] = Lanes.getBfloat16(x.address(), i);
      return values;
    }
    return segment(x).toArray(JAVA_FLOAT);
  }

  private static MemorySegment segment(Tensor x) {
    return MemorySegment.ofAddress(x.address()).reinterpret(x.bytes());
  }

  /** Fails if anybody wrote beside a tensor. */
  public void check() {
    for (MemorySegment block : blocks) {
      for (long i = 0; i < GUARD; i++) {
        checkByte(block, i, i - GUARD);
        long end = block.byteSize() - GUARD + i;
        checkByte(block, end, end - GUARD);
      }
    }
  }

  private static void checkByte(MemorySegment block, long i, long offset) {
    if (block.get(java.lang.foreign.ValueLayout.JAVA_BYTE, i) == PATTERN) return;
    throw new AssertionError(
        "byte %d beside a tensor of %d bytes was overwritten"
            .formatted(offset, block.byteSize() - 2 * GUARD));
  }

  @Override
  public void close() {
    check();
    arena.close();
  }
}
