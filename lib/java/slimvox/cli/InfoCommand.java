package slimvox.cli;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import picocli.CommandLine.Command;
import slimvox.backend.Backends;
import slimvox.report.Values;
import slimvox.storage.Provenance;

/** What SlimVox finds on this machine. */
@Command(name = "info", description = "Show versions, hardware and backends.")
final class InfoCommand extends Subcommand {
  @Override
  public Integer call() {
    Values values = new Values();
    values.put("slimvox_version", Provenance.version());
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
      Values backend = new Values();
      backend.put("name", choice.name());
      backend.put("usable", choice.usable());
      backend.put("description", description);
      backends.add(backend);
      if (!choice.name().equals("dry")) {
        backend.put(choice.name().equals("cuda") ? "libraries" : "details", choice.details());
      }
      String verdict = choice.usable() ? "yes" : "no";
      text.append("backend %-10s%-4s%s%n".formatted(choice.name(), verdict, description));
      for (String line : choice.details()) text.append("                  %s%n".formatted(line));
    }
    values.put("backends", backends);
    result(text(values) + text, values);
    return 0;
  }

  private static String text(Values values) {
    String oneDnn =
        values.get("onednn_version") == null ? "not loaded: {onednn_problem}" : "{onednn_version}";
    return values.text(
        "SlimVox           {slimvox_version}\n"
            + "Java              {java_version} ({java_vendor}), heap up to"
            + " {heap_limit_bytes:%,.0f MiB}\n"
            + "machine           {os}, {cores} cores, vectors of {vector_bits} bits, memory"
            + " {memory_bytes:%,.0f MiB}\n"
            + "oneDNN            "
            + oneDnn
            + ", {openmp_threads} OpenMP threads\n");
  }

  private static void oneDnn(Values values) {
    String version = null;
    String problem = null;
    try {
      version = Backends.oneDnnVersion();
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
