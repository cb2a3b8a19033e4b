package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.cuda.driver.KernelSource;

/**
 * Every kernel compiles for every kind of card, by CUDA 12's compiler and by 13's, without a
 * warning, and keeps its variables in registers; no card is needed.
 */
class NvrtcTest {
  private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
  private static final Pattern STACK =
      Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill");
  private static final Pattern USED = Pattern.compile("Used (\\d+) registers");

  @ParameterizedTest
  @MethodSource("slimvox.backend.cuda.Nvrtc#targets")
  void everyKernelCompilesWithoutWarningsOrMemoryOfItsThreads(Nvrtc.Target target) {
    KernelSource.all().parallelStream().forEach(source -> check(source, target));
  }

  private static void check(KernelSource source, Nvrtc.Target target) {
    String where = source.path() + " for " + target + ": ";
    Nvrtc.Compiled result = target.compile(source);
    assertEquals(0, result.status(), where + result.log());
    List<String> seen = new ArrayList<>();
    String entry = null;
    for (String line : result.log().lines().toList()) {
      Matcher m = ENTRY.matcher(line);
      if (m.find()) entry = m.group(1);
      m = STACK.matcher(line);
      if (m.find()) {
        String spills = where + entry + " keeps registers in memory: " + line.strip();
        // CUDA 13.0's compiler lets a few registers go on Blackwell's data centre cards.
        int allowed = target.capability() == 100 ? 24 : 0;
        for (int i = 1; i <= 3; i++) assertTrue(Integer.parseInt(m.group(i)) <= allowed, spills);
      } else if (USED.matcher(line).find()) {
        seen.add(entry);
      } else {
        // The rest is ptxas telling of properties and constants; anything else is a warning.
        boolean told = line.isBlank() || line.startsWith("ptxas info") || line.startsWith("    0");
        assertTrue(told && !line.contains("warning"), where + line);
      }
    }
    assertEquals(source.kernels().stream().sorted().toList(), seen.stream().sorted().toList());
    // Those of tensor cores, as many as tiles of 128 rows and 32, 64 and 128 columns need of
    // 16 x 8 for each of their 4, 8 and 8 warps: once in the loop over slabs, none in a branch.
    boolean tiles = target.capability() >= 80 && source.text().contains("TensorTile");
    int products = 128 * 32 / 128 / 4 + 128 * 64 / 128 / 8 + 128 * 128 / 128 / 8;
    assertEquals(tiles ? products : 0, result.ptx().split("mma\\.sync", -1).length - 1, where);
  }

  @ParameterizedTest
  @MethodSource("slimvox.backend.cuda.Nvrtc#targets")
  void anErrorNamesOurFileAndLine(Nvrtc.Target target) {
    String text =
        "#include \"common.cuh\"\nextern \"C\" __global__ void f(int* x) { *x = nothing; }";
    Nvrtc.Compiled result = target.compile("lib/cuda/wrong.cu", text);
    assertEquals(6, result.status()); // NVRTC_ERROR_COMPILATION
    assertTrue(
        result.log().startsWith("lib/cuda/wrong.cu(2): error: identifier \"nothing\""),
        result.log());
  }
}
