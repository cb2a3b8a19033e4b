package slimvox.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Hardware.KernelTime;

/** The times of a step's kernels, by what they are for, as text and as JSON. */
public final class KernelTable {
  private static final int MOST_OF_FAMILY = 3;

  private final List<KernelTime> kernels;
  private final Map<String, Double> families = new LinkedHashMap<>(); // the longest first
  private final double all;

  /** The table of these kernels, the longest first. */
  public KernelTable(List<KernelTime> kernels) {
    this.kernels = kernels;
    Map<String, Double> ms = new LinkedHashMap<>();
    for (KernelTime k : kernels) ms.merge(k.family(), k.ms(), Double::sum);
    ms.entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
        .forEach(e -> families.put(e.getKey(), e.getValue()));
    all = kernels.stream().mapToDouble(KernelTime::ms).sum();
  }

  /** A line for each family, with its longest kernels. */
  public String text() {
    List<KernelTime> lines = new ArrayList<>();
    families.forEach(
        (family, ms) -> {
          List<KernelTime> own = kernels.stream().filter(k -> k.family().equals(family)).toList();
          lines.add(new KernelTime(family, family, launches(own), ms));
          for (KernelTime k : own.subList(0, Math.min(MOST_OF_FAMILY, own.size()))) {
            lines.add(new KernelTime(family, "  " + k.kernel(), k.launches(), k.ms()));
          }
        });
    lines.add(new KernelTime("all", "all", launches(kernels), all));
    return "\n"
        + Rows.of(lines)
            .column("kernels of one step", "%-32s", KernelTime::kernel)
            .column("ms", " %10.3f", KernelTime::ms)
            .column("share", " %6.1f %%", k -> share(k.ms()))
            .column("launches", " %9d", KernelTime::launches)
            .text();
  }

  private static int launches(List<KernelTime> kernels) {
    return kernels.stream().mapToInt(KernelTime::launches).sum();
  }

  private double share(double ms) {
    return all == 0 ? 0 : 100 * ms / all;
  }

  /** Adds {@code kernel_ms}, {@code kernel_shares_percent} by family, and {@code kernels}. */
  public void put(Map<String, Object> values) {
    values.put("kernel_ms", all);
    Values shares = new Values();
    families.forEach((family, ms) -> shares.put(family, Math.round(10 * share(ms)) / 10.0));
    values.put("kernel_shares_percent", shares);
    values.put(
        "kernels",
        Rows.of(kernels)
            .column("family", KernelTime::family)
            .column("kernel", KernelTime::kernel)
            .column("launches", KernelTime::launches)
            .column("ms", KernelTime::ms)
            .json());
  }
}
