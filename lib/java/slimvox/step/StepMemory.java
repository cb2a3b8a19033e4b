package slimvox.step;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.models.ModelSpec;

/** What one training step needs, found by a dry run; see {@link MemoryAnalysis}. */
public final class StepMemory {
  private final ModelSpec model;
  private final int batch;
  private final int frames;
  private final long parameters;
  private final long keptForBackward;
  private final MemoryReport report;
  private final List<MemoryLedger.Event> events;
  private ArenaPlan plan;

  StepMemory(
      TrainingStep step,
      int batch,
      int frames,
      MemoryReport report,
      List<MemoryLedger.Event> events) {
    this.model = step.network().spec();
    this.batch = batch;
    this.frames = frames;
    this.parameters = step.network().state().parameterCount();
    this.keptForBackward = step.keptForBackwardBytes();
    this.report = report;
    this.events = events;
  }

  /** The network. */
  public ModelSpec model() {
    return model;
  }

  /** Utterances of the step. */
  public int batch() {
    return batch;
  }

  /** Frames of each utterance. */
  public int frames() {
    return frames;
  }

  /** Number of the network's parameters, without the classifier's. */
  public long parameters() {
    return parameters;
  }

  /** Bytes that the network keeps for backward; see {@link TrainingStep#keptForBackwardBytes}. */
  public long keptForBackwardBytes() {
    return keptForBackward;
  }

  /** Bytes by category: after the step (as before it) and when the total was highest. */
  public MemoryReport report() {
    return report;
  }

  /** Every allocation and release of the step, in order. */
  public List<MemoryLedger.Event> events() {
    return events;
  }

  /** The highest bytes in use at one time, all categories. */
  public long totalPeak() {
    return report.totalPeak();
  }

  /** How often this step fits into the memory of another: the other's peak by this one's. */
  public double timesLessThan(StepMemory other) {
    return (double) other.totalPeak() / totalPeak();
  }

  /** Places in one block for the buffers of the step. */
  public ArenaPlan plan() {
    if (plan == null) plan = ArenaPlan.of(events);
    return plan;
  }

  /** What a budget has to hold: what stays between steps, and the block of the planned step. */
  public long neededBytes() {
    return report.totalNow() + plan().bytes();
  }

  /** Whether the step can be planned within a budget. */
  public boolean fits(MemoryBudget budget) {
    return totalPeak() <= budget.bytes() && neededBytes() <= budget.bytes();
  }

  /** The category that takes most when the total is highest. */
  public Category largestCategory() {
    return report.atTotalPeak().entrySet().stream()
        .max(Comparator.comparingLong(Map.Entry::getValue))
        .orElseThrow()
        .getKey();
  }

  /** Its share of the peak, 0 to 1. */
  public double largestShare() {
    return (double) report.atTotalPeak().get(largestCategory()) / totalPeak();
  }

  /** What step it is, and its {@link #report()}. */
  @Override
  public String toString() {
    return "%s, a step of %d x %d frames%n%n%s".formatted(model.name(), batch, frames, report);
  }
}
