package slimvox.backend.cpu.onednn;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.bytedeco.dnnl.global.dnnl;

/**
 * One operation of oneDNN on tensors of fixed shapes and layouts.
 *
 * <p>At first it is a descriptor, which knows its implementation and the size of its scratch pad.
 * Code is generated when it is run for the first time.
 */
final class Primitive {
  private static final long ARGUMENT_BYTES = 16; // struct dnnl_exec_arg_t: int, padding, pointer

  private final long engine;
  private final long descriptor;
  private final int[] arguments;
  private final long scratchpadBytes;
  private long primitive;
  private long[] memories;
  private MemorySegment table;

  /**
   * @param descriptor this object's own from now on
   * @param arguments which {@code DNNL_ARG_} the addresses given to {@link #run} are
   */
  Primitive(long engine, long descriptor, int... arguments) {
    this.engine = engine;
    this.descriptor = descriptor;
    this.arguments = arguments;
    scratchpadBytes = bytesOf(dnnl.DNNL_ARG_SCRATCHPAD);
  }

  String implementation() {
    return Dnnl.implementation(descriptor);
  }

  /** Describes the layout of one of the arguments, chosen by the library where we said any. */
  long layoutOf(int argument) {
    return Dnnl.descriptorOf(descriptor, argument);
  }

  /** Bytes of one of the arguments; 0 if there is none. */
  long bytesOf(int argument) {
    return Dnnl.bytes(Dnnl.descriptorOf(descriptor, argument));
  }

  long scratchpadBytes() {
    return scratchpadBytes;
  }

  /**
   * Runs on tensors at these addresses.
   *
   * @param scratchpad of {@link #scratchpadBytes}, aligned to 64; any value where that is 0
   */
  void run(long stream, long scratchpad, long... addresses) {
    if (primitive == 0) create();
    for (int i = 0; i < addresses.length; i++) Dnnl.setData(memories[i], addresses[i]);
    int count = arguments.length;
    if (scratchpadBytes > 0) Dnnl.setData(memories[count++], scratchpad);
    Dnnl.execute(primitive, stream, count, table.address());
  }

  private void create() {
    int count = arguments.length + 1;
    memories = new long[count];
    table = Arena.ofAuto().allocate(count * ARGUMENT_BYTES, 8);
    for (int i = 0; i < count; i++) {
      int argument = i < arguments.length ? arguments[i] : dnnl.DNNL_ARG_SCRATCHPAD;
      memories[i] = Dnnl.memory(engine, layoutOf(argument));
      table.set(JAVA_INT, i * ARGUMENT_BYTES, argument);
      table.set(JAVA_LONG, i * ARGUMENT_BYTES + 8, memories[i]);
    }
    primitive = Dnnl.primitive(descriptor);
  }

  /** Gives the library's objects back; the primitive is not used afterwards. */
  void close() {
    if (primitive != 0) {
      Dnnl.destroy("primitive", primitive);
      for (long memory : memories) Dnnl.destroy("memory", memory);
    }
    Dnnl.destroy("primitive_desc", descriptor);
  }
}
