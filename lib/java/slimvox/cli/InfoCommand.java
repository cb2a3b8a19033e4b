package slimvox.cli;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import picocli.CommandLine.Command;
import slimvox.backend.Backends;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.report.Bytes;

/** What SlimVox finds on this machine. */
@Command(name = "info", description = "Show versions, hardware and backends.", sortOptions = false)
final class InfoCommand extends Subcommand {
  @Override
  public Integer call() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("slimvox_version", SlimVox.version());
    values.put("java_version", Runtime.version().toString());
    values.put("java_vendor", System.getProperty("java.vendor"));
    values.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    values.put("cores", Runtime.getRuntime().availableProcessors());
    values.put("vector_bits", vectorBits());
    values.put("memory_bytes", memoryBytes());
    values.put("heap_limit_bytes", Runtime.getRuntime().maxMemory());
    oneDnn(values);
    values.put("openmp_threads", Runtime.getRuntime().availableProcessors());
    List<Object> backends = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    for (Backends.Choice choice : Backends.choices()) {
      String description = choice.description();
      if (!choice.usable() && choice.name().equals("cuda") && !description.contains("CPU")) {
        description += ": training runs on the CPU";
      }
      Map<String, Object> backend = new LinkedHashMap<>();
      backend.put("name", choice.name());
      backend.put("usable", choice.usable());
      backend.put("description", description);
      backends.add(backend);
      if (choice.name().equals("cuda")) backend.put("libraries", choice.details());
      String verdict = choice.usable() ? "yes" : "no";
      text.append("backend %-10s%-4s%s%n".formatted(choice.name(), verdict, description));
      for (String line : choice.details()) text.append("                  %s%n".formatted(line));
    }
    values.put("backends", backends);
    result(text(values) + text, values);
    return 0;
  }

  private static String text(Map<String, Object> v) {
    Object oneDnn = v.get("onednn_version");
    return String.format(
        Locale.ROOT,
        """
        SlimVox           %s
        Java              %s (%s), heap up to %,.0f MiB
        machine           %s, %s cores, vectors of %s bits, memory %,.0f MiB
        oneDNN            %s, %s OpenMP threads
        """,
        v.get("slimvox_version"),
        v.get("java_version"),
        v.get("java_vendor"),
        Bytes.mib((Long) v.get("heap_limit_bytes")),
        v.get("os"),
        v.get("cores"),
        v.get("vector_bits"),
        Bytes.mib((Long) v.get("memory_bytes")),
        oneDnn == null ? "not loaded: " + v.get("onednn_problem") : oneDnn,
        v.get("openmp_threads"));
  }

  private static void oneDnn(Map<String, Object> values) {
    String version = null;
    String problem = null;
    try (OneDnn library = OneDnn.open(1)) {
      version = library.version();
    } catch (UnsupportedOperationException | LinkageError e) {
      problem = e.getMessage();
    }
    values.put("onednn_version", version);
    values.put("onednn_problem", problem);
  }

  private static int vectorBits() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()
        ? 0
        : FloatVector.SPECIES_PREFERRED.vectorBitSize();
  }

  private static long memoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean os
        ? os.getTotalMemorySize()
        : 0;
  }
}
