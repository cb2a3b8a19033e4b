package slimvox.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The standard error output under {@code lib/bin/slimvox}.
 *
 * <p>A JVM that is given the Vector API writes "WARNING: Using incubator modules" before any class
 * of ours runs, and has no option against it; a failure would be two lines. So the script starts
 * the JVM with an empty standard error output, keeps the real one as another file descriptor, and
 * names that in the property {@code slimvox.stderr}.
 */
final class StandardError {
  private static final int STDERR = 2;

  private StandardError() {}

  /** Puts the real standard error output back in its place, for Java and native code. */
  @SuppressWarnings("restricted") // dup2 is what it is for
  static void restore() {
    Integer real = Integer.getInteger("slimvox.stderr");
    if (real == null) return;
    Linker linker = Linker.nativeLinker();
    MethodHandle dup2 =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("dup2"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    try {
      int unused = (int) dup2.invokeExact((int) real, STDERR);
    } catch (Throwable e) {
      throw new AssertionError(e); // dup2 throws nothing
    }
  }
}
