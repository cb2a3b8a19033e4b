/**
 * The processor's kernels in the Vector API.
 *
 * <p>Loops over vectors that larger loops call are methods whose names end in {@code Loop}: the
 * JVM's options, the property {@code slimvox.jvm} of the build, keep the compiler from putting them
 * into their callers.
 */
package slimvox.backend.cpu.kernels;
