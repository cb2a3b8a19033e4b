package slimvox.backend.cpu;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import slimvox.backend.OutOfDeviceMemoryException;

/**
 * What the system has left for this process.
 *
 * <p>Linux promises memory that it does not have, and kills without a word who then writes to it.
 * So the files are read in which it says how much it has: {@code /proc/meminfo}, and the limits of
 * the process's control groups, version 1 or 2, under {@code /sys/fs/cgroup}. Memory that holds
 * copies of files counts as free. Elsewhere all memory of the machine is taken to be free.
 *
 * @param root of the file system
 */
public record SystemMemory(Path root) {
  private static final SystemMemory HERE = new SystemMemory(Path.of("/"));

  /** How much one call of oneDNN may take for the code that it generates, with room to spare. */
  private static final long CODE_BYTES = 32L << 20;

  /** That there is no such limit, or that nobody knows. */
  private static final long NONE = Long.MAX_VALUE;

  /**
   * Refuses a block that is larger than what is left.
   *
   * @throws OutOfDeviceMemoryException naming both
   */
  static void require(long bytes) {
    long available = HERE.available();
    if (bytes > available) {
      throw new OutOfDeviceMemoryException(
          "out of memory: %s are needed outside the Java heap, this machine has %s left"
              .formatted(gib(bytes), gib(available)));
    }
  }

  /**
   * Refuses to have code generated where the address space has no room for it: oneDNN ends the
   * process there.
   *
   * @throws OutOfDeviceMemoryException naming the limit
   */
  public static void requireRoomForCode() {
    if (HERE.addressSpaceLeft() < CODE_BYTES) throw outOfMemory("oneDNN needs memory for its code");
  }

  /** The exception for what the system refused, with the limit that may be why. */
  public static OutOfDeviceMemoryException outOfMemory(String what) {
    long limit = HERE.addressSpace();
    return new OutOfDeviceMemoryException(
        "out of memory: " + what + (limit == NONE ? "" : ", and ulimit -v allows " + gib(limit)));
  }

  private static String gib(long bytes) {
    return String.format(Locale.ROOT, "%.1f GiB", bytes / 1073741824.0);
  }

  /** Bytes that can be written to before something has to go. */
  long available() {
    long free = 1024 * value("proc/meminfo", "MemAvailable:");
    if (free < 0) return machine();
    long swap = 1024 * Math.max(0, value("proc/meminfo", "SwapFree:"));
    long available = free + swap;
    for (String line : lines("proc/self/cgroup")) { // 0::/PATH or 4:memory:/PATH
      String[] parts = line.split(":", 3);
      if (parts.length < 3) continue;
      boolean second = parts[0].equals("0") && parts[1].isEmpty();
      if (!second && !List.of(parts[1].split(",")).contains("memory")) continue;
      Path top = Path.of(second ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
      // The limits of the groups around it hold as well; a container may see the outermost only.
      Path group = Path.of(top + "/" + parts[2]).normalize();
      if (!group.startsWith(top)) group = top; // beyond what this container may see
      for (; group != null && group.startsWith(top); group = group.getParent()) {
        available = Math.min(available, second ? left2(group, swap) : left1(group, swap));
      }
    }
    return Math.max(0, available);
  }

  private long left2(Path group, long swap) {
    long limit = number(group + "/memory.max");
    if (limit == NONE) return NONE;
    long swapLimit = number(group + "/memory.swap.max");
    long used = number(group + "/memory.swap.current");
    long swapLeft = swapLimit == NONE || used == NONE ? swap : Math.max(0, swapLimit - used);
    return room(group, limit, "memory.current", "") + Math.min(swap, swapLeft);
  }

  private long left1(Path group, long swap) {
    long limit = number(group + "/memory.limit_in_bytes");
    if (limit >= 1L << 60) return NONE; // how version 1 writes that there is none
    return room(group, limit, "memory.usage_in_bytes", "total_") + swap;
  }

  private long room(Path group, long limit, String usage, String prefix) {
    long used = number(group + "/" + usage);
    if (used == NONE) return limit;
    for (String cache : List.of("inactive_file", "active_file")) {
      used -= Math.max(0, value(group + "/memory.stat", prefix + cache));
    }
    return limit - used;
  }

  private static long machine() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize() + system.getTotalSwapSpaceSize()
        : NONE;
  }

  /** The process's limit in bytes, {@code ulimit -v}. */
  long addressSpace() {
    for (String line : lines("proc/self/limits")) {
      if (!line.startsWith("Max address space")) continue;
      return parse(line.substring(17).strip().split("\\s+")[0]);
    }
    return NONE;
  }

  private long addressSpaceLeft() {
    long limit = addressSpace();
    return limit == NONE ? NONE : limit - 1024 * value("proc/self/status", "VmSize:");
  }

  /** The number after a word at the start of a line; -1 if there is no such line. */
  private long value(String file, String name) {
    for (String line : lines(file)) {
      String[] parts = line.split("\\s+");
      if (parts.length > 1 && parts[0].equals(name)) return parse(parts[1]);
    }
    return -1;
  }

  /** The number that is all of a file. */
  private long number(String file) {
    List<String> lines = lines(file);
    return lines.isEmpty() ? NONE : parse(lines.getFirst().strip());
  }

  private static long parse(String number) {
    try {
      return Long.parseLong(number);
    } catch (NumberFormatException e) {
      return NONE; // "max", "unlimited"
    }
  }

  private List<String> lines(String file) {
    try {
      return Files.readAllLines(root.resolve(file));
    } catch (IOException e) {
      return List.of();
    }
  }
}
