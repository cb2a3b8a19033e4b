package slimvox.backend.cuda;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A C function that returns an {@code int}, for the few calls that JCuda does not offer or that
 * come before JCuda may be loaded.
 */
final class CFunction {
  private final String name;
  private final MethodHandle handle;

  private CFunction(String name, MethodHandle handle) {
    this.name = name;
    this.handle = handle;
  }

  /**
   * Looks a function up.
   *
   * @param arguments a letter for each: {@code p} an address or a {@code size_t} (long), {@code i}
   *     an int
   * @throws UnsupportedOperationException if the library lacks it
   */
  @SuppressWarnings("restricted") // calling native code is what it is for
  static CFunction find(SymbolLookup library, String name, String arguments) {
    MemorySegment symbol =
        library
            .find(name)
            .orElseThrow(
                () -> new UnsupportedOperationException("the library has no function " + name));
    MemoryLayout[] layouts = new MemoryLayout[arguments.length()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] = arguments.charAt(i) == 'p' ? ValueLayout.JAVA_LONG : ValueLayout.JAVA_INT;
    }
    MethodHandle handle =
        Linker.nativeLinker()
            .downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts));
    return new CFunction(name, handle.asSpreader(Object[].class, layouts.length));
  }

  /** Calls the function; arguments are {@link Long} or {@link Integer} as declared. */
  int call(Object... arguments) {
    try {
      return (int) handle.invokeExact(arguments);
    } catch (Throwable e) {
      throw new IllegalStateException(name + ": " + e.getMessage(), e);
    }
  }
}
