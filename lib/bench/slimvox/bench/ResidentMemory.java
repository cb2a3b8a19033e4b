package slimvox.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The process's resident memory, as Linux counts it. */
final class ResidentMemory {
  private static final Path STATUS = Path.of("/proc/self/status");

  private ResidentMemory() {}

  /** Bytes in physical memory now; -1 where the system does not tell. */
  static long now() {
    return field("VmRSS:");
  }

  /** The most there have been; -1 where the system does not tell. */
  static long peak() {
    return field("VmHWM:");
  }

  private static long field(String name) {
    try (Stream<String> lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith(name))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElse(-1);
    } catch (IOException e) {
      return -1; // as on a system without it
    }
  }
}
