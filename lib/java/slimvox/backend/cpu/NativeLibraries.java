package slimvox.backend.cpu;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import org.bytedeco.javacpp.Loader;
import slimvox.backend.NativeFunction;

/**
 * oneDNN and its OpenMP runtime, unpacked once into JavaCPP's cache folder and loaded.
 *
 * <p>The folder is {@code ~/.javacpp/cache}, or what the property {@code
 * org.bytedeco.javacpp.cachedir} says. Only the two C libraries are loaded: JavaCPP's own layer
 * over oneDNN, and the OpenCL loader it needs, take 200 ms to start against 50 ms without.
 */
@SuppressWarnings("restricted") // loading native code is what it is for
public final class NativeLibraries {
  private static final String PLATFORM = "linux-x86_64";

  /** Half a millisecond: about what a thread of a convolution is behind the other. */
  private static final String SPINS = "10000";

  private static NativeLibraries loaded;

  private final SymbolLookup oneDnn;
  private final SymbolLookup gomp;

  private NativeLibraries(SymbolLookup oneDnn, SymbolLookup gomp) {
    this.oneDnn = oneDnn;
    this.gomp = gomp;
  }

  /**
   * Loads both libraries at the first call.
   *
   * @throws UnsupportedOperationException with one line that says why it cannot be done
   */
  public static synchronized NativeLibraries load() {
    if (loaded == null) {
      checkPlatform(Loader.getPlatform());
      limitSpinning();
      // First the OpenMP runtime: oneDNN then finds it loaded, and shares its threads with us.
      SymbolLookup gomp = open("libgomp.so.1");
      loaded = new NativeLibraries(open("libdnnl.so.3"), gomp);
    }
    return loaded;
  }

  /**
   * Lets OpenMP's threads sleep soon after a parallel region instead of spinning for milliseconds.
   *
   * <p>A thread that sleeps takes long to wake: with 2,000 turns a step of ResNet34 takes a tenth
   * longer than with 10,000. But where anything else runs on the same cores (a browser, JupyterLab,
   * the JVM's compiler), threads that spin keep the one that everybody waits for from running: with
   * 30,000 turns two trainings beside each other take three times as long as one, with 10,000
   * twice. A setting of the user wins.
   */
  private static void limitSpinning() {
    if (System.getenv("OMP_WAIT_POLICY") != null || System.getenv("GOMP_SPINCOUNT") != null) return;
    NativeFunction setenv = NativeFunction.find(Linker.nativeLinker().defaultLookup(), "setenv", 3);
    try (Arena arena = Arena.ofConfined()) {
      setenv.call(
          arena.allocateFrom("GOMP_SPINCOUNT").address(), arena.allocateFrom(SPINS).address(), 0);
    }
  }

  /** The symbols of libdnnl. */
  public SymbolLookup oneDnn() {
    return oneDnn;
  }

  /** The symbols of the OpenMP runtime that oneDNN runs on. */
  public SymbolLookup gomp() {
    return gomp;
  }

  /** Refuses platforms that the libraries are not built for. */
  public static void checkPlatform(String platform) {
    if (platform.equals(PLATFORM)) return;
    throw new UnsupportedOperationException(
        "the CPU backend needs " + PLATFORM + ", this is " + platform);
  }

  /** The functions of a library that JavaCPP unpacks. */
  public static SymbolLookup open(String library) {
    String resource = "/org/bytedeco/dnnl/" + PLATFORM + "/" + library;
    File file;
    try {
      file = Loader.cacheResource(resource);
    } catch (IOException e) {
      throw new UnsupportedOperationException(
          "oneDNN's %s cannot be unpacked (%s): is there space in the folder that %s names?"
              .formatted(library, e.getMessage(), "org.bytedeco.javacpp.cachedir"),
          e);
    }
    if (file == null) {
      throw new UnsupportedOperationException(
          "oneDNN's "
              + library
              + " is not on the class path: the jar dnnl-"
              + PLATFORM
              + " is missing");
    }
    try {
      return SymbolLookup.libraryLookup(file.toPath(), Arena.global());
    } catch (IllegalArgumentException e) {
      throw new UnsupportedOperationException(
          "oneDNN cannot be loaded (%s): it needs glibc, libstdc++.so.6 and libgcc_s.so.1"
              .formatted(e.getMessage()),
          e);
    }
  }
}
