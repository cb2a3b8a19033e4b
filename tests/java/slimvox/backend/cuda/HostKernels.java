package slimvox.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.kernels.Grid;

/**
 * The kernels of lib/cuda compiled by the host's C++ compiler, behind tests/cuda/host.h.
 *
 * <p>Compiled once, into lib/target/host-kernels, under a name made of everything that goes in.
 */
@SuppressWarnings("restricted") // calls what it compiled
public final class HostKernels {
  private static final Path SHIM = Path.of("tests/cuda");
  private static final Path OUT = Path.of("lib/target/host-kernels");
  private static final List<String> LIBRARY =
      List.of("-O2", "-fsanitize=alignment", "-march=native", "-fPIC", "-shared");
  private static final List<String> FLAGS =
      List.of(
          "-std=c++17",
          "-ffp-contract=off", // as --fmad=false
          "-Wall",
          "-Werror",
          "-Wno-unknown-pragmas",
          "-Wno-unused-function",
          "-Wno-sign-compare",
          "-U_FORTIFY_SOURCE");
  private static MethodHandle loaded;
  private static Path library;

  private HostKernels() {}

  /** Skips the test, with the reason, where there is no C++ compiler for x86-64 Linux. */
  public static synchronized MethodHandle load() {
    if (loaded != null) return loaded;
    try {
      library = compiled("host.cpp", LIBRARY).toAbsolutePath();
      MemorySegment run =
          SymbolLookup.libraryLookup(library, Arena.global()).findOrThrow("run_kernel");
      loaded =
          Linker.nativeLinker()
              .downcallHandle(
                  run,
                  FunctionDescriptor.of(
                      JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS));
      return loaded;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The compiled kernels, for others who run them; skips as {@link #load} does. */
  public static Path library() {
    load();
    return library;
  }

  /** A program that runs {@link RecordedLaunches} under sanitizers; skips as {@link #load} does. */
  static synchronized Path sanitized(String sanitizers) throws IOException {
    return compiled(
        "threads.cpp",
        List.of(
            "-O1",
            "-g1",
            "-DPER_THREAD=thread_local",
            "-pthread",
            "-fsanitize=" + sanitizers,
            "-fno-sanitize-recover=all"));
  }

  private static String compiler() {
    for (String name : List.of("g++", "clang++")) {
      try {
        if (run(List.of(name, "--version")).isEmpty()) continue;
        return name;
      } catch (IOException e) {
        // not there; the next one
      }
    }
    return Assumptions.abort(
        "no C++ compiler (g++ or clang++) on the path: kernels cannot be run on the host");
  }

  private static Path compiled(String host, List<String> kind) throws IOException {
    String compiler = compiler();
    List<String> flags = new ArrayList<>(FLAGS);
    flags.addAll(kind);
    List<String> parts = new ArrayList<>(flags);
    parts.add(run(List.of(compiler, "--version")));
    parts.add(Files.readString(SHIM.resolve("host.h")));
    parts.add(Files.readString(SHIM.resolve(host)));
    for (KernelSource s : sources()) parts.add(s.path() + s.kernels() + s.text());
    parts.addAll(KernelSource.headers().values());
    Path binary = OUT.resolve(hash(parts) + ".so");
    if (Files.exists(binary)) return binary;
    Files.createDirectories(OUT);
    Path folder = Files.createTempDirectory(OUT, "build");
    List<String> command = new ArrayList<>();
    command.add(compiler);
    command.addAll(flags);
    command.add("-I" + SHIM.toAbsolutePath());
    for (KernelSource source : sources()) {
      Path wrapper =
          folder.resolve(Path.of(source.path()).getFileName().toString().replace(".cu", ".cpp"));
      Files.writeString(wrapper, wrapper(source));
      command.add(wrapper.toString());
    }
    command.add(SHIM.resolve(host).toString());
    Path built = folder.resolve("kernels.so");
    command.addAll(List.of("-o", built.toString()));
    String output = run(command);
    if (!Files.exists(built)) throw new AssertionError(output);
    Files.move(built, binary, StandardCopyOption.ATOMIC_MOVE);
    return binary;
  }

  /** Ours, and those with the faults that have to be found. */
  private static List<KernelSource> sources() throws IOException {
    Path faulty = SHIM.resolve("faulty.cu");
    List<KernelSource> all = new ArrayList<>(KernelSource.all());
    all.add(KernelSource.of(faulty.toString(), Files.readString(faulty)));
    return all;
  }

  /** A namespace for each file: functions of the same name in two files are not the same. */
  private static String wrapper(KernelSource source) {
    StringBuilder text = new StringBuilder("#include \"host.h\"\nnamespace {\n");
    text.append("#include \"").append(Path.of(source.path()).toAbsolutePath()).append("\"\n");
    for (String kernel : source.kernels()) text.append("KERNEL(").append(kernel).append(")\n");
    return text.append("}\n").toString();
  }

  private static String run(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(10, TimeUnit.MINUTES)) process.destroyForcibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return output;
  }

  private static String hash(List<String> parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String part : parts) digest.update(part.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e); // every JDK has it
    }
  }

  /** Runs a kernel; {@code values} as many as {@code types} has letters. */
  public static void run(String kernel, Grid g, String types, long[] values, boolean backwards) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment error = arena.allocate(256);
      int failed =
          (int)
              load()
                  .invokeExact(
                      arena.allocateFrom(kernel),
                      arena.allocateFrom(
                          JAVA_INT, g.x(), g.y(), g.z(), g.blockX(), g.blockY(), g.blockZ()),
                      arena.allocateFrom(types),
                      arena.allocateFrom(JAVA_LONG, values),
                      backwards ? 1 : 0,
                      error);
      if (failed != 0) throw new AssertionError(kernel + ": " + error.getString(0));
    } catch (AssertionError e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(kernel, e);
    }
  }
}
