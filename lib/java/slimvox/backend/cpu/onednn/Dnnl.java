package slimvox.backend.cpu.onednn;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.dnnl.global.dnnl;
import slimvox.backend.NativeFunction;
import slimvox.backend.cpu.NativeLibraries;
import slimvox.backend.cpu.SystemMemory;

/**
 * The part of oneDNN's C API that the CPU backend calls.
 *
 * <p>Objects of the library are addresses, here {@code long}; 0 stands for none. Tensors are
 * float32 unless another type is named. A status other than success becomes an {@link
 * IllegalStateException}. The numbers of enumerations are JavaCPP's compile-time constants, so its
 * classes are not loaded.
 *
 * <p>Source: oneDNN 3.11, include/oneapi/dnnl/dnnl.h.
 */
@SuppressWarnings("restricted") // calling native code is what it is for
final class Dnnl {
  private static final NativeFunction VERSION = function("dnnl_version", 0);
  private static final NativeFunction INSTRUCTIONS = function("dnnl_get_effective_cpu_isa", 0);
  private static final NativeFunction ENGINE = function("dnnl_engine_create", 3);
  private static final NativeFunction STREAM = function("dnnl_stream_create", 3);
  private static final NativeFunction TAGGED = function("dnnl_memory_desc_create_with_tag", 5);
  private static final NativeFunction STRIDED = function("dnnl_memory_desc_create_with_strides", 5);
  private static final NativeFunction BYTES = function("dnnl_memory_desc_get_size", 1);
  private static final NativeFunction EQUAL = function("dnnl_memory_desc_equal", 2);
  private static final NativeFunction MEMORY = function("dnnl_memory_create", 4);
  private static final NativeFunction SET_DATA = function("dnnl_memory_set_data_handle", 2);
  private static final NativeFunction ATTRIBUTES = function("dnnl_primitive_attr_create", 1);
  private static final NativeFunction SET_SCRATCHPAD_MODE =
      function("dnnl_primitive_attr_set_scratchpad_mode", 2);
  private static final NativeFunction SET_MATH_MODE =
      function("dnnl_primitive_attr_set_fpmath_mode", 2);
  private static final NativeFunction SET_POST_OPS =
      function("dnnl_primitive_attr_set_post_ops", 2);
  private static final NativeFunction POST_OPS = function("dnnl_post_ops_create", 1);
  private static final NativeFunction CONVOLUTION =
      function("dnnl_convolution_forward_primitive_desc_create", 13);
  private static final NativeFunction CONVOLUTION_BACKWARD_DATA =
      function("dnnl_convolution_backward_data_primitive_desc_create", 12);
  private static final NativeFunction CONVOLUTION_BACKWARD_WEIGHT =
      function("dnnl_convolution_backward_weights_primitive_desc_create", 13);
  private static final NativeFunction MATMUL = function("dnnl_matmul_primitive_desc_create", 7);
  private static final NativeFunction REORDER = function("dnnl_reorder_primitive_desc_create", 6);
  private static final NativeFunction QUERY = function("dnnl_primitive_desc_query", 4);
  private static final NativeFunction QUERY_MEMORY = function("dnnl_primitive_desc_query_md", 3);
  private static final NativeFunction PRIMITIVE = function("dnnl_primitive_create", 2);
  private static final NativeFunction EXECUTE = function("dnnl_primitive_execute", 4);

  // The only functions that take floats.
  private static final MethodHandle APPEND_SUM =
      appending("sum", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_FLOAT, JAVA_INT, JAVA_INT));
  private static final MethodHandle APPEND_ELTWISE =
      appending(
          "eltwise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_FLOAT, JAVA_FLOAT));

  private static final Map<String, NativeFunction> DESTROY = new ConcurrentHashMap<>(); // by kind

  private Dnnl() {}

  private static MethodHandle appending(String operation, FunctionDescriptor arguments) {
    String name = "dnnl_post_ops_append_" + operation;
    return Linker.nativeLinker()
        .downcallHandle(NativeLibraries.load().oneDnn().findOrThrow(name), arguments);
  }

  private static NativeFunction function(String name, int arguments) {
    return NativeFunction.find(NativeLibraries.load().oneDnn(), name, arguments);
  }

  /**
   * Calls a function that returns a status.
   *
   * @throws slimvox.backend.OutOfDeviceMemoryException if the library ran out of memory
   * @throws IllegalStateException if it is not 0, success, for another reason
   */
  private static void run(NativeFunction function, long... arguments) {
    int status = (int) function.call(arguments);
    String name = function.name();
    if (status == dnnl.dnnl_out_of_memory) throw SystemMemory.outOfMemory(name + " got none");
    if (status != 0) throw new IllegalStateException(name + " returned status " + status);
  }

  /** Calls a function that leaves the address of a new object in its first argument. */
  private static long create(NativeFunction function, long... otherArguments) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment object = arena.allocate(JAVA_LONG);
      run(function, NativeFunction.with(object.address(), otherArguments));
      return object.get(JAVA_LONG, 0);
    }
  }

  /** The library's version, for example {@code 3.11.0}. */
  static String version() {
    // struct dnnl_version_t begins with major, minor, patch (int).
    MemorySegment version = MemorySegment.ofAddress(VERSION.call()).reinterpret(12);
    return version.getAtIndex(JAVA_INT, 0)
        + "."
        + version.getAtIndex(JAVA_INT, 1)
        + "."
        + version.getAtIndex(JAVA_INT, 2);
  }

  /** The instructions that the library uses here, a {@code dnnl_cpu_isa_}: one bit for each set. */
  static int instructions() {
    return (int) INSTRUCTIONS.call();
  }

  /** The engine of the CPU. */
  static long engine() {
    return create(ENGINE, dnnl.dnnl_cpu, 0);
  }

  /** An in-order stream; on the CPU each call returns when its work is done. */
  static long stream(long engine) {
    int inOrder = 1;
    return create(STREAM, engine, inOrder);
  }

  // ---- memory

  /** Describes a tensor of a type in the layout {@code tag}. */
  static long descriptor(int type, int tag, long[] lengths) {
    try (Arena arena = Arena.ofConfined()) {
      return create(TAGGED, lengths.length, array(arena, lengths), type, tag);
    }
  }

  /** Describes a tensor by its lengths and its strides in elements. */
  static long strided(long[] lengths, long[] strides) {
    try (Arena arena = Arena.ofConfined()) {
      return create(
          STRIDED, lengths.length, array(arena, lengths), dnnl.dnnl_f32, array(arena, strides));
    }
  }

  /** Bytes of a described tensor, the padding of blocked layouts included. */
  static long bytes(long descriptor) {
    return BYTES.call(descriptor);
  }

  /** True if both descriptors say the same. */
  static boolean equal(long a, long b) {
    return (int) EQUAL.call(a, b) != 0;
  }

  /** A memory object whose data {@link #setData} is to name. */
  static long memory(long engine, long descriptor) {
    return create(MEMORY, descriptor, engine, 0);
  }

  /** Says where the data of a memory object are. */
  static void setData(long memory, long address) {
    run(SET_DATA, memory, address);
  }

  /**
   * The attributes of our primitives: the caller gives the scratch pad; add to the result, or not;
   * then a ReLU, or none; float32 factors may be rounded to bfloat16, or not, whatever the
   * environment says.
   */
  static long attributes(boolean accumulate, boolean relu, boolean bfloat16) {
    long attributes = create(ATTRIBUTES);
    run(SET_SCRATCHPAD_MODE, attributes, dnnl.dnnl_scratchpad_mode_user);
    run(
        SET_MATH_MODE,
        attributes,
        bfloat16 ? dnnl.dnnl_fpmath_mode_bf16 : dnnl.dnnl_fpmath_mode_strict);
    long postOps = create(POST_OPS);
    try {
      int type = dnnl.dnnl_data_type_undef;
      int status = accumulate ? (int) APPEND_SUM.invokeExact(postOps, 1f, 0, type) : 0;
      if (relu) {
        status |= (int) APPEND_ELTWISE.invokeExact(postOps, dnnl.dnnl_eltwise_relu, 0f, 0f);
      }
      if (status != 0) throw new IllegalStateException("status " + status);
    } catch (Throwable e) {
      throw new IllegalStateException("dnnl_post_ops_append: " + e.getMessage(), e);
    }
    run(SET_POST_OPS, attributes, postOps);
    destroy("post_ops", postOps);
    return attributes;
  }

  // ---- primitive descriptors

  /** Describes the forward pass of a convolution; {@code bias} may be 0. */
  static long convolution(
      long engine,
      long x,
      long weight,
      long bias,
      long y,
      long[] strides,
      long[] padding,
      long attributes) {
    int kind = dnnl.dnnl_forward_training;
    long[] tensors = {engine, kind, dnnl.dnnl_convolution_direct, x, weight, bias, y};
    return convolution(CONVOLUTION, tensors, strides, padding, attributes);
  }

  /** Describes the gradient for x, or the weight; {@code forward} describes the forward pass. */
  static long convolutionBackward(
      boolean ofWeight,
      long engine,
      long x,
      long weight,
      long y,
      long[] strides,
      long[] padding,
      long forward,
      long attributes) {
    NativeFunction describe = ofWeight ? CONVOLUTION_BACKWARD_WEIGHT : CONVOLUTION_BACKWARD_DATA;
    int kind = dnnl.dnnl_convolution_direct;
    long[] tensors =
        ofWeight // whose bias has a place, too
            ? new long[] {engine, kind, x, weight, 0, y}
            : new long[] {engine, kind, x, weight, y};
    return convolution(describe, tensors, strides, padding, forward, attributes);
  }

  /** Without dilation, with the same padding on both sides of an axis. */
  private static long convolution(
      NativeFunction describe, long[] tensors, long[] strides, long[] padding, long... others) {
    try (Arena arena = Arena.ofConfined()) {
      long pad = array(arena, padding);
      long[] geometry = {array(arena, strides), array(arena, 0, 0), pad, pad};
      long[] arguments =
          Stream.of(tensors, geometry, others).flatMapToLong(LongStream::of).toArray();
      return create(describe, arguments);
    }
  }

  /** Describes c = a b. */
  static long matmul(long engine, long a, long b, long c, long attributes) {
    return create(MATMUL, engine, a, b, 0, c, attributes);
  }

  /** Describes a copy from one layout into another. */
  static long reorder(long engine, long from, long to, long attributes) {
    return create(REORDER, from, engine, to, engine, attributes);
  }

  /** The name of the implementation that the library chose. */
  static String implementation(long primitiveDescriptor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(JAVA_LONG);
      run(QUERY, primitiveDescriptor, dnnl.dnnl_query_impl_info_str, 0, name.address());
      return MemorySegment.ofAddress(name.get(JAVA_LONG, 0)).reinterpret(256).getString(0);
    }
  }

  /** Describes the tensor that a primitive takes as {@code argument}, a {@code DNNL_ARG_}. */
  static long descriptorOf(long primitiveDescriptor, int argument) {
    return QUERY_MEMORY.call(primitiveDescriptor, dnnl.dnnl_query_exec_arg_md, argument);
  }

  // ---- primitives

  /** Generates the code. */
  static long primitive(long primitiveDescriptor) {
    SystemMemory.requireRoomForCode();
    return create(PRIMITIVE, primitiveDescriptor);
  }

  /** Runs a primitive on an array of {@code dnnl_exec_arg_t}. */
  static void execute(long primitive, long stream, int count, long arguments) {
    run(EXECUTE, primitive, stream, count, arguments);
  }

  /** Ends an object, {@code dnnl_KIND_destroy}. */
  static void destroy(String kind, long object) {
    run(DESTROY.computeIfAbsent(kind, k -> function("dnnl_" + k + "_destroy", 1)), object);
  }

  private static long array(Arena arena, long... values) {
    return arena.allocateFrom(JAVA_LONG, values).address();
  }
}
