package slimvox.cli;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.KernelTime;

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
    StringBuilder text = new StringBuilder();
    text.append(
        "%n%-32s %10s %8s %9s%n".formatted("kernels of one step", "ms", "share", "launches"));
    families.forEach(
        (family, ms) -> {
          List<KernelTime> own = kernels.stream().filter(k -> k.family().equals(family)).toList();
          int launches = own.stream().mapToInt(KernelTime::launches).sum();
          text.append(line(family, ms, launches));
          for (KernelTime k : own.subList(0, Math.min(MOST_OF_FAMILY, own.size()))) {
            text.append(line("  " + k.kernel(), k.ms(), k.launches()));
          }
        });
    int launches = kernels.stream().mapToInt(KernelTime::launches).sum();
    return text.append(line("all", all, launches)).toString();
  }

  private String line(String name, double ms, int launches) {
    return String.format(Locale.ROOT, "%-32s %10.3f %6.1f %% %9d%n", name, ms, share(ms), launches);
  }

  private double share(double ms) {
    return all == 0 ? 0 : 100 * ms / all;
  }

  /** Adds {@code kernel_ms}, {@code kernel_shares_percent} by family, and {@code kernels}. */
  public void put(Map<String, Object> values) {
    values.put("kernel_ms", all);
    Map<String, Object> shares = new LinkedHashMap<>();
    families.forEach((family, ms) -> shares.put(family, Math.round(10 * share(ms)) / 10.0));
    values.put("kernel_shares_percent", shares);
    List<Object> rows = new ArrayList<>();
    for (KernelTime k : kernels) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("family", k.family());
      row.put("kernel", k.kernel());
      row.put("launches", k.launches());
      row.put("ms", k.ms());
      rows.add(row);
    }
    values.put("kernels", rows);
  }
}
