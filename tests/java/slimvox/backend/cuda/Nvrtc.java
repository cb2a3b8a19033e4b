package slimvox.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import slimvox.backend.NativeFunction;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.storage.AtomicFile;
import slimvox.storage.Sha256;

/**
 * A compiler of kernels that {@code tests/nvrtc} fetched, called without JCuda and without card.
 */
@SuppressWarnings("restricted") // calls NVRTC
public final class Nvrtc {
  /** Where {@code tests/nvrtc} puts NVIDIA's packages. */
  public static final Path FOLDER = Path.of("lib/target/nvrtc/nvidia");

  /** Compilers by the cards that tests compile for. */
  private static final Map<String, List<Integer>> CARDS =
      Map.of(
          "cuda_nvrtc/lib/libnvrtc.so.12", List.of(75, 90),
          "cu13/lib/libnvrtc.so.13", List.of(75, 80, 86, 89, 90, 100, 120));

  private static final Path CACHE = FOLDER.resolveSibling("compiled"); // it takes minutes
  private static final Map<String, Nvrtc> LOADED = new HashMap<>();

  private final SymbolLookup library;

  private Nvrtc(Path file) {
    try (Stream<Path> beside = Files.list(file.getParent())) {
      beside
          .filter(f -> f.getFileName().toString().matches("libnvrtc-builtins\\.so\\..*"))
          .forEach(f -> SymbolLookup.libraryLookup(f, Arena.global()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    library = SymbolLookup.libraryLookup(file, Arena.global());
  }

  /** A compiler and a card that it knows. */
  public record Target(String library, int capability) {
    /** Compiles a source of lib/cuda. */
    public Compiled compile(KernelSource source) {
      return compile(source.path(), source.text());
    }

    /** Compiles a text that may include lib/cuda's headers. */
    public Compiled compile(String path, String text) {
      Path file = CACHE.resolve(toString().replace(' ', '-') + "-" + key(path, text));
      try {
        if (Files.exists(file)) return Compiled.read(file);
        Compiled made = load(library).compile(path, text, capability);
        Files.createDirectories(CACHE);
        made.write(file);
        return made;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public String toString() {
      return "sm_" + capability + " by " + library.substring(library.lastIndexOf('/') + 1);
    }
  }

  /** All pairs; skips the test where there is no compiler, and says where one is not there. */
  public static Stream<Target> targets() {
    List<Target> all = new ArrayList<>();
    CARDS.forEach(
        (library, cards) -> {
          if (Files.exists(FOLDER.resolve(library))) {
            cards.forEach(card -> all.add(new Target(library, card)));
          }
        });
    Assumptions.assumeFalse(
        all.isEmpty(), "no NVRTC to compile kernels with: run tests/nvrtc (119 MB)");
    return all.stream();
  }

  /** One compiler for each card, the newest that is there. */
  public static Stream<Target> cards() {
    List<Target> all = targets().toList();
    return all.stream()
        .filter(
            t ->
                all.stream()
                    .noneMatch(
                        other ->
                            other.capability == t.capability
                                && other.library.endsWith("13")
                                && !t.library.endsWith("13")));
  }

  private static synchronized Nvrtc load(String library) {
    return LOADED.computeIfAbsent(library, l -> new Nvrtc(FOLDER.resolve(l).toAbsolutePath()));
  }

  /** What became of a source: 0 or an error, what the compiler and ptxas said, the code. */
  public record Compiled(int status, String log, byte[] cubin, String ptx) {
    private void write(Path file) throws IOException {
      byte[][] parts = {log.getBytes(UTF_8), cubin, ptx.getBytes(UTF_8)};
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (DataOutputStream out = new DataOutputStream(bytes)) {
        out.writeInt(status);
        for (byte[] part : parts) {
          out.writeInt(part.length);
          out.write(part);
        }
      }
      AtomicFile.write(file, bytes.size(), out -> out.write(bytes.toByteArray()));
    }

    private static Compiled read(Path file) throws IOException {
      try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
        int status = in.readInt();
        String log = new String(in.readNBytes(in.readInt()), UTF_8);
        byte[] cubin = in.readNBytes(in.readInt());
        return new Compiled(status, log, cubin, new String(in.readNBytes(in.readInt()), UTF_8));
      }
    }
  }

  private static String key(String path, String text) {
    MessageDigest digest = Sha256.digest();
    List.of(path, text, KernelSource.headers().toString())
        .forEach(part -> digest.update(part.getBytes(UTF_8)));
    return HexFormat.of().formatHex(digest.digest(), 0, 8);
  }

  private NativeFunction function(String name) {
    return NativeFunction.find(library, name, 6);
  }

  /** What a pair of functions gives: the size, and then so many bytes. */
  private byte[] bytes(Arena arena, String name, long program) {
    MemorySegment size = arena.allocate(JAVA_LONG);
    function(name + "Size").call(program, size.address());
    MemorySegment content = arena.allocate(Math.max(1, size.get(JAVA_LONG, 0)));
    function(name).call(program, content.address());
    return content.toArray(JAVA_BYTE);
  }

  private Compiled compile(String path, String text, int capability) {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, String> headers = KernelSource.headers();
      MemorySegment handle = arena.allocate(JAVA_LONG);
      long made =
          function("nvrtcCreateProgram")
              .call(
                  handle.address(),
                  arena.allocateFrom(text).address(),
                  arena.allocateFrom(path).address(),
                  headers.size(),
                  strings(arena, headers.values()).address(),
                  strings(arena, headers.keySet()).address());
      assertEquals(0, (int) made);
      // As slimvox.backend.cuda.driver.KernelCompiler's, and what ptxas says.
      List<String> options =
          List.of(
              "--gpu-architecture=sm_" + capability,
              "--std=c++17",
              "--fmad=false",
              "--ptxas-options=-v");
      long program = handle.get(JAVA_LONG, 0);
      int status =
          (int)
              function("nvrtcCompileProgram")
                  .call(program, options.size(), strings(arena, options).address());
      String log = text(bytes(arena, "nvrtcGetProgramLog", program));
      byte[] cubin = status == 0 ? bytes(arena, "nvrtcGetCUBIN", program) : new byte[0];
      String ptx = status == 0 ? text(bytes(arena, "nvrtcGetPTX", program)) : "";
      function("nvrtcDestroyProgram").call(handle.address());
      return new Compiled(status, log, cubin, ptx);
    }
  }

  /** Compiles a kernel with each compiler beside a library, the stand-in for the driver. */
  public static void main(String[] arguments) {
    SymbolLookup.libraryLookup(Path.of(arguments[0]), Arena.global());
    targets()
        .filter(t -> t.capability() == 90)
        .map(t -> t + ": " + t.compile(KernelSource.of("relu")).status())
        .sorted()
        .forEach(System.out::println);
  }

  private static String text(byte[] ended) {
    String text = new String(ended, UTF_8);
    return text.substring(0, text.indexOf('\0'));
  }

  private static MemorySegment strings(Arena arena, Collection<String> values) {
    MemorySegment array = arena.allocate(ADDRESS, values.size());
    int i = 0;
    for (String value : values) array.setAtIndex(ADDRESS, i++, arena.allocateFrom(value));
    return array;
  }
}
