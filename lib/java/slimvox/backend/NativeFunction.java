package slimvox.backend;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * A C function all of whose arguments are pointers or integers, each passed as a {@code long}.
 *
 * <p>The calling convention of x86-64 Linux gives every such argument one 64-bit register or stack
 * slot, which the caller frees; a callee that expects an {@code int} reads the lower half, and one
 * that expects fewer arguments leaves the rest alone. So two shapes, filled up with zeros, do for
 * all functions. The JVM takes about 5 ms to link each shape, and a library would have twenty.
 */
@SuppressWarnings("restricted") // calling native code is what it is for
public record NativeFunction(String name, int arity, MethodHandle handle) {
  private static final int FEW = 6; // as many as there are registers
  private static final int MANY = 13;

  /**
   * Looks a function up.
   *
   * @param arguments how many it has, or more; at most 13
   * @throws UnsupportedOperationException if the library lacks it
   */
  public static NativeFunction find(SymbolLookup library, String name, int arguments) {
    int arity = arguments <= FEW ? FEW : MANY;
    MemoryLayout[] layouts = new MemoryLayout[arity];
    Arrays.fill(layouts, JAVA_LONG);
    MemorySegment symbol =
        library
            .find(name)
            .orElseThrow(
                () -> new UnsupportedOperationException("the library has no function " + name));
    MethodHandle handle =
        Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(JAVA_LONG, layouts));
    return new NativeFunction(name, arity, handle.asSpreader(long[].class, arity));
  }

  /** Calls the function and returns what it returns; of an {@code int} only 32 bits count. */
  public long call(long... arguments) {
    try {
      return (long) handle.invokeExact(Arrays.copyOf(arguments, arity));
    } catch (Throwable e) {
      throw new IllegalStateException(name + ": " + e.getMessage(), e);
    }
  }

  /** Arguments with one before them. */
  public static long[] with(long first, long... others) {
    return LongStream.concat(LongStream.of(first), LongStream.of(others)).toArray();
  }
}
