package slimvox.report;

import java.util.Locale;
import slimvox.memory.MemoryBudget;
import slimvox.models.Models;
import slimvox.step.MemoryFit;

/** A {@link MemoryFit} as text and as JSON. */
public final class BudgetLines {
  private BudgetLines() {}

  /** Lines of text; the same is put into {@code values}. */
  public static String text(MemoryFit fit, Values values) {
    values.put("budget_bytes", fit.budget().bytes());
    values.put("needed_bytes", fit.asked().neededBytes());
    values.put("fits", fit.fits());
    values.put("largest_batch", fit.largestBatch());
    values.put("deepest_model", fit.deepestModel());
    values.put("in_the_way", fit.inTheWay().key());
    values.put("would_fit_with", fit.helps() == null ? null : fit.helps().options());
    return String.format(
        Locale.ROOT,
        """

        budget %s: the step %s, it needs %s
        the largest batch that fits: %s
        the deepest %s that fits with batch %d: %s
        in the way: %s, %.0f %% of what %s needs
        """,
        fit.budget(),
        fit.fits() ? "fits" : "does not fit",
        MemoryBudget.text(fit.asked().neededBytes()),
        fit.largestBatch() == 0 ? "none" : String.format(Locale.ROOT, "%,d", fit.largestBatch()),
        Models.familyName(fit.asked().model().name()),
        fit.asked().batch(),
        fit.deepestModel() == null ? "none" : fit.deepestModel(),
        fit.inTheWay().title(),
        100 * fit.obstacle().largestShare(),
        fit.largestBatch() == 0 ? "batch 1" : "the step");
  }
}
