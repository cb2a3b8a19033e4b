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
  private static final List<String> FLAGS =
      List.of(
          "-std=c++17",
          "-O2",
          "-ffp-contract=off", // as --fmad=false
          "-fsanitize=alignment",
          "-march=native",
          "-fPIC",
          "-shared",
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
    String compiler = compiler();
    Assumptions.assumeTrue(
        compiler != null,
        "no C++ compiler (g++ or clang++) on the path: kernels cannot be run on the host");
    try {
      library = compiled(compiler).toAbsolutePath();
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

  private static String compiler() {
    for (String name : List.of("g++", "clang++")) {
      try {
        if (run(List.of(name, "--version")).isEmpty()) continue;
        return name;
      } catch (IOException e) {
        // not there; the next one
      }
    }
    return null;
  }

  private static Path compiled(String compiler) throws IOException {
    List<String> parts = new ArrayList<>(FLAGS);
    parts.add(run(List.of(compiler, "--version")));
    parts.add(Files.readString(SHIM.resolve("host.h")));
    parts.add(Files.readString(SHIM.resolve("host.cpp")));
    for (KernelSource s : sources()) parts.add(s.path() + s.kernels() + s.text());
    parts.addAll(KernelSource.headers().values());
    Path library = OUT.resolve(hash(parts) + ".so");
    if (Files.exists(library)) return library;
    Files.createDirectories(OUT);
    Path folder = Files.createTempDirectory(OUT, "build");
    List<String> command = new ArrayList<>();
    command.add(compiler);
    command.addAll(FLAGS);
    command.add("-I" + SHIM.toAbsolutePath());
    for (KernelSource source : sources()) {
      Path wrapper =
          folder.resolve(Path.of(source.path()).getFileName().toString().replace(".cu", ".cpp"));
      Files.writeString(wrapper, wrapper(source));
      command.add(wrapper.toString());
    }
    command.add(SHIM.resolve("host.cpp").toString());
    Path built = folder.resolve("kernels.so");
    command.addAll(List.of("-o", built.toString()));
    String output = run(command);
    if (!Files.exists(built)) throw new AssertionError(output);
    Files.move(built, library, StandardCopyOption.ATOMIC_MOVE);
    return library;
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
