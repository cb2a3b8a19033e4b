package slimvox.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.NativeFunction;
import slimvox.backend.cuda.driver.KernelSource;

/**
 * Every kernel compiles for every kind of card, without a warning, and keeps its variables in
 * registers; no card is needed. NVRTC comes from {@code tests/nvrtc}.
 */
@SuppressWarnings("restricted") // calls NVRTC
class NvrtcTest {
  private static final Path FOLDER = Path.of("lib/target/nvrtc/nvidia/cuda_nvrtc/lib");
  private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
  private static final Pattern STACK =
      Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill");
  private static final Pattern USED = Pattern.compile("Used (\\d+) registers");

  private static NativeFunction create;
  private static NativeFunction compile;
  private static NativeFunction logSize;
  private static NativeFunction log;
  private static NativeFunction destroy;

  @BeforeAll
  static void load() {
    Path library = FOLDER.resolve("libnvrtc.so.12").toAbsolutePath();
    Assumptions.assumeTrue(
        Files.exists(library), "no NVRTC to compile kernels with: run tests/nvrtc (24 MB)");
    SymbolLookup.libraryLookup(library.resolveSibling("libnvrtc-builtins.so.12.6"), Arena.global());
    SymbolLookup nvrtc = SymbolLookup.libraryLookup(library, Arena.global());
    create = NativeFunction.find(nvrtc, "nvrtcCreateProgram", 6);
    compile = NativeFunction.find(nvrtc, "nvrtcCompileProgram", 3);
    logSize = NativeFunction.find(nvrtc, "nvrtcGetProgramLogSize", 2);
    log = NativeFunction.find(nvrtc, "nvrtcGetProgramLog", 2);
    destroy = NativeFunction.find(nvrtc, "nvrtcDestroyProgram", 1);
  }

  private record Compilation(int status, String log) {}

  private static Compilation compile(String path, String text, int architecture) {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, String> headers = KernelSource.headers();
      MemorySegment handle = arena.allocate(JAVA_LONG);
      MemorySegment texts = strings(arena, headers.values());
      MemorySegment names = strings(arena, headers.keySet());
      long made =
          create.call(
              handle.address(),
              arena.allocateFrom(text).address(),
              arena.allocateFrom(path).address(),
              headers.size(),
              texts.address(),
              names.address());
      assertEquals(0, (int) made);
      List<String> options =
          List.of(
              "--gpu-architecture=sm_" + architecture,
              "--std=c++17",
              "--fmad=false",
              "--ptxas-options=-v");
      long program = handle.get(JAVA_LONG, 0);
      int status = (int) compile.call(program, options.size(), strings(arena, options).address());
      MemorySegment size = arena.allocate(JAVA_LONG);
      logSize.call(program, size.address());
      MemorySegment buffer = arena.allocate(size.get(JAVA_LONG, 0));
      log.call(program, buffer.address());
      destroy.call(handle.address());
      return new Compilation(status, buffer.getString(0));
    }
  }

  private static MemorySegment strings(Arena arena, Collection<String> values) {
    MemorySegment array = arena.allocate(ADDRESS, values.size());
    int i = 0;
    for (String value : values) array.setAtIndex(ADDRESS, i++, arena.allocateFrom(value));
    return array;
  }

  @ParameterizedTest
  @ValueSource(ints = {75, 80, 86, 89, 90})
  void everyKernelCompilesWithoutWarningsOrMemoryOfItsThreads(int architecture) {
    for (KernelSource source : KernelSource.all()) {
      String where = source.path() + " for sm_" + architecture + ": ";
      Compilation result = compile(source.path(), source.text(), architecture);
      assertEquals(0, result.status, where + result.log);
      List<String> seen = new ArrayList<>();
      String entry = null;
      for (String line : result.log.lines().toList()) {
        Matcher m = ENTRY.matcher(line);
        if (m.find()) entry = m.group(1);
        m = STACK.matcher(line);
        if (m.find()) {
          String spills = where + entry + " keeps registers in memory: " + line.strip();
          assertEquals(List.of("0", "0", "0"), List.of(m.group(1), m.group(2), m.group(3)), spills);
        } else if (USED.matcher(line).find()) {
          seen.add(entry);
        } else {
          // The rest is ptxas telling of properties and constants; anything else is a warning.
          boolean told =
              line.isBlank() || line.startsWith("ptxas info") || line.startsWith("    0");
          assertTrue(told && !line.contains("warning"), where + line);
        }
      }
      assertEquals(source.kernels().stream().sorted().toList(), seen.stream().sorted().toList());
    }
  }

  @Test
  void anErrorNamesOurFileAndLine() {
    String text =
        "#include \"common.cuh\"\nextern \"C\" __global__ void f(int* x) { *x = nothing; }";
    Compilation result = compile("lib/cuda/wrong.cu", text, 80);
    assertEquals(6, result.status); // NVRTC_ERROR_COMPILATION
    assertTrue(
        result.log.startsWith("lib/cuda/wrong.cu(2): error: identifier \"nothing\""), result.log);
  }
}
