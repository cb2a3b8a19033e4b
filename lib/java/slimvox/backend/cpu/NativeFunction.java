package slimvox.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import org.bytedeco.dnnl.global.dnnl;

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

  /** Looks a function with so many arguments up. */
  public static NativeFunction find(SymbolLookup library, String name, int arguments) {
    int arity = arguments <= FEW ? FEW : MANY;
    MemoryLayout[] layouts = new MemoryLayout[arity];
    Arrays.fill(layouts, JAVA_LONG);
    MemorySegment symbol =
        library
            .find(name)
            .orElseThrow(() -> new UnsupportedOperationException("oneDNN has no " + name));
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

  /**
   * Calls a function that returns a status.
   *
   * @throws slimvox.backend.OutOfDeviceMemoryException if the library ran out of memory
   * @throws IllegalStateException if it is not 0, success, for another reason
   */
  public void run(long... arguments) {
    int status = (int) call(arguments);
    if (status == dnnl.dnnl_out_of_memory) throw SystemMemory.outOfMemory(name + " got none");
    if (status != 0) throw new IllegalStateException(name + " returned status " + status);
  }

  /** Calls a function that leaves the address of a new object in its first argument. */
  public long create(long... otherArguments) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment object = arena.allocate(JAVA_LONG);
      long[] arguments = new long[otherArguments.length + 1];
      arguments[0] = object.address();
      System.arraycopy(otherArguments, 0, arguments, 1, otherArguments.length);
      run(arguments);
      return object.get(JAVA_LONG, 0);
    }
  }
}
