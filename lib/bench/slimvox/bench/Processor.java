package slimvox.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What Linux calls the processor: without it a time is no result. */
final class Processor {
  private static final Path INFO = Path.of("/proc/cpuinfo");

  /** What decides how fast bits, bytes and floats are. */
  private static final List<String> FLAGS =
      List.of("avx2", "avx512f", "avx512_vnni", "avx512_vpopcntdq", "amx_int8", "amx_bf16");

  private Processor() {}

  /** Name, family and model, and which of the instructions that matter here it has. */
  static String description() {
    try {
      return description(Files.readAllLines(INFO));
    } catch (IOException e) {
      return System.getProperty("os.arch"); // a system without that file
    }
  }

  static String description(List<String> lines) {
    Map<String, String> first =
        lines.stream()
            .filter(line -> line.contains(":"))
            .map(line -> line.split(":", 2))
            .collect(Collectors.toMap(f -> f[0].strip(), f -> f[1].strip(), (a, _) -> a));
    List<String> has = Arrays.asList(first.getOrDefault("flags", "").split(" "));
    String instructions = FLAGS.stream().filter(has::contains).collect(Collectors.joining(", "));
    return "%s, family %s, model %s (%s; %s)"
        .formatted(
            first.get("model name"),
            first.get("cpu family"),
            first.get("model"),
            instructions,
            has.contains("amx_int8") ? "with AMX" : "no AMX");
  }
}
