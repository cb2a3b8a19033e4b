package slimvox.backend.cuda.driver;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import slimvox.backend.DeviceException;
import slimvox.backend.cuda.libraries.CudaLibraries;

/**
 * NVRTC: makes machine code for one kind of card from a {@link KernelSource}.
 *
 * <p>Machine code (cubin), not PTX: it runs on drivers that are older than the compiler. Only for
 * cards newer than the compiler knows, PTX of the newest that it knows, which the driver then
 * translates.
 */
final class KernelCompiler {
  private final boolean known;
  private final String architecture;
  private final String version;

  /**
   * The compiler for one kind of card.
   *
   * @param capability its compute capability, 10 major + minor
   * @throws DeviceException if NVRTC compiles for newer cards only
   */
  KernelCompiler(int capability) {
    int[] count = new int[1];
    check(JNvrtc.nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs");
    int[] supported = new int[count[0]];
    check(JNvrtc.nvrtcGetSupportedArchs(supported), "nvrtcGetSupportedArchs");
    int best = 0;
    for (int each : supported) if (each <= capability) best = Math.max(best, each);
    int[] major = new int[1];
    int[] minor = new int[1];
    check(JNvrtc.nvrtcVersion(major, minor), "nvrtcVersion");
    this.version = major[0] + "." + minor[0];
    if (best == 0) {
      throw new DeviceException(
          "NVRTC %s does not compile for cards of compute capability %d.%d, only for newer ones: %s"
              .formatted(version, capability / 10, capability % 10, CudaLibraries.INSTALL));
    }
    // Code runs on cards of the same major version and at least the same minor.
    this.known = best / 10 == capability / 10;
    this.architecture = (known ? "sm_" : "compute_") + best;
  }

  /** {@code 12.6}. */
  String version() {
    return version;
  }

  /**
   * The options that decide the code. Products and sums are fused where the source says so and
   * nowhere else: the same bits from every version of the compiler, and the processor's.
   */
  List<String> options() {
    return List.of("--gpu-architecture=" + architecture, "--std=c++17", "--fmad=false");
  }

  /** Everything that decides the code of a source. */
  byte[] key(KernelSource source) {
    StringBuilder key = new StringBuilder("nvrtc ").append(version).append('\n');
    options().forEach(o -> key.append(o).append('\n'));
    KernelSource.headers()
        .forEach((name, text) -> key.append(name).append('\0').append(text).append('\0'));
    key.append(source.path()).append('\0').append(source.text());
    return key.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** What a file of the code is called: {@code convolution-sm_86}. */
  String name(KernelSource source) {
    String file = source.path().substring(source.path().lastIndexOf('/') + 1);
    return file.replace(".cu", "") + "-" + architecture;
  }

  /**
   * Compiles a source.
   *
   * @throws DeviceException with file, line and reason of the first error
   */
  byte[] compile(KernelSource source) {
    nvrtcProgram program = new nvrtcProgram();
    Map<String, String> headers = KernelSource.headers();
    check(
        JNvrtc.nvrtcCreateProgram(
            program,
            source.text(),
            source.path(),
            headers.size(),
            headers.values().toArray(String[]::new),
            headers.keySet().toArray(String[]::new)),
        "nvrtcCreateProgram");
    try {
      String[] options = options().toArray(String[]::new);
      int status = JNvrtc.nvrtcCompileProgram(program, options.length, options);
      if (status != nvrtcResult.NVRTC_SUCCESS) {
        String[] log = {""};
        JNvrtc.nvrtcGetProgramLog(program, log);
        throw new DeviceException(problem(source.path(), log[0], status));
      }
      return known ? cubin(program) : ptx(program);
    } finally {
      JNvrtc.nvrtcDestroyProgram(program);
    }
  }

  private String problem(String path, String log, int status) {
    String first =
        Stream.of(log.split("\n"))
            .filter(line -> line.contains("error"))
            .findFirst()
            .orElse(path + ": " + JNvrtc.nvrtcGetErrorString(status));
    return "a kernel does not compile with NVRTC %s %s: %s"
        .formatted(version, options().getFirst(), first.strip());
  }

  private static byte[] cubin(nvrtcProgram program) {
    long[] size = new long[1];
    check(JNvrtc.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
    byte[] code = new byte[Math.toIntExact(size[0])];
    check(JNvrtc.nvrtcGetCUBIN(program, code), "nvrtcGetCUBIN");
    return code;
  }

  private static byte[] ptx(nvrtcProgram program) {
    String[] text = new String[1];
    check(JNvrtc.nvrtcGetPTX(program, text), "nvrtcGetPTX");
    return (text[0] + "\0").getBytes(StandardCharsets.ISO_8859_1); // the driver wants the end
  }

  private static void check(int status, String function) {
    if (status == nvrtcResult.NVRTC_SUCCESS) return;
    throw new DeviceException(function + " failed: " + nvrtcResult.stringFor(status));
  }
}
