package slimvox.backend.cuda.libraries;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A C function, for the calls that JCuda does not offer or that come before JCuda may be loaded.
 */
public final class CFunction {
  private final String name;
  private final MethodHandle handle;

  private CFunction(String name, MethodHandle handle) {
    this.name = name;
    this.handle = handle;
  }

  /**
   * A function that returns an {@code int}; see {@link #find(SymbolLookup, String, char, String)}.
   */
  public static CFunction find(SymbolLookup library, String name, String arguments) {
    return find(library, name, 'i', arguments);
  }

  /**
   * Looks a function up.
   *
   * @param result what it returns: {@code i}, {@code p} or {@code v} for nothing
   * @param arguments a letter for each: {@code p} an address or a {@code size_t} (long), {@code i}
   *     an int
   * @throws UnsupportedOperationException if the library lacks it
   */
  @SuppressWarnings("restricted") // calling native code is what it is for
  public static CFunction find(SymbolLookup library, String name, char result, String arguments) {
    MemorySegment symbol =
        library
            .find(name)
            .orElseThrow(
                () -> new UnsupportedOperationException("the library has no function " + name));
    MemoryLayout[] layouts = new MemoryLayout[arguments.length()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] = layout(arguments.charAt(i));
    }
    FunctionDescriptor signature =
        result == 'v'
            ? FunctionDescriptor.ofVoid(layouts)
            : FunctionDescriptor.of(layout(result), layouts);
    MethodHandle handle = Linker.nativeLinker().downcallHandle(symbol, signature);
    return new CFunction(name, handle.asSpreader(Object[].class, layouts.length));
  }

  private static MemoryLayout layout(char letter) {
    return letter == 'p' ? ValueLayout.JAVA_LONG : ValueLayout.JAVA_INT;
  }

  /** Calls a function of result {@code i}; arguments are {@link Long} or {@link Integer}. */
  public int call(Object... arguments) {
    try {
      return (int) handle.invokeExact(arguments);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  /** Calls a function of result {@code p}. */
  long callLong(Object... arguments) {
    try {
      return (long) handle.invokeExact(arguments);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  /** Calls a function of result {@code v}. */
  void run(Object... arguments) {
    try {
      handle.invokeExact(arguments);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  private IllegalStateException failure(Throwable e) {
    return new IllegalStateException(name + ": " + e.getMessage(), e);
  }
}
