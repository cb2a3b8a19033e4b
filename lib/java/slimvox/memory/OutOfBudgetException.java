package slimvox.memory;

import java.util.Comparator;
import java.util.Locale;
import java.util.Map;

/** An allocation would exceed the {@link MemoryBudget}; the message names what takes the most. */
public class OutOfBudgetException extends RuntimeException {
  private final Category category;

  OutOfBudgetException(
      MemoryBudget budget, MemoryReport report, Category category, String label, long bytes) {
    super(message(budget, report, category, label, bytes));
    this.category = category;
  }

  /** A budget that a whole step exceeds, with the line that says why. */
  public OutOfBudgetException(String message, Category category) {
    super(message);
    this.category = category;
  }

  private static String message(
      MemoryBudget budget, MemoryReport report, Category category, String label, long bytes) {
    Map.Entry<Category, Long> largest =
        report.now().entrySet().stream().max(Comparator.comparing(Map.Entry::getValue)).get();
    return String.format(
        Locale.ROOT,
        "out of the memory budget of %s: %s %s needs %.2f MiB more, %.2f MiB are in use, most of"
            + " it %s (%.2f MiB); use a smaller batch or fewer frames",
        budget,
        category.key(),
        label,
        bytes / 1048576.0,
        report.totalNow() / 1048576.0,
        largest.getKey().key(),
        largest.getValue() / 1048576.0);
  }

  /** The category of the buffer that did not fit, or that takes most of what does not. */
  public Category category() {
    return category;
  }
}
