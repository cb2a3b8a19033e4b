package slimvox.memory;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The account of every buffer: bytes by {@link Category}, now and at the peak.
 *
 * <p>A backend reports each allocation and each release here, and nothing else does, so the ledger
 * is exact by construction. Three views are kept: the bytes in use now, the highest value each
 * category ever had ({@code peak}), and what each category held at the moment the <em>total</em>
 * was highest ({@code atTotalPeak}; only these add up to the total peak).
 *
 * <p>While {@linkplain #startTimeline() a timeline is recorded}, every event is listed with its
 * label; {@link ArenaPlan} turns such a list into one block with fixed offsets.
 *
 * <p>Bytes are what was asked for; rounding to the alignment of a plan is part of the plan, not of
 * the ledger. Not thread-safe: one ledger belongs to one training thread.
 */
public final class MemoryLedger {
  /**
   * One allocation or release.
   *
   * @param id names the buffer; an allocation and its release carry the same id
   * @param allocation true when the buffer came, false when it went
   * @param bytes size of the buffer
   * @param totalBytes bytes in use after the event
   */
  public record Event(
      long id, boolean allocation, Category category, String label, long bytes, long totalBytes) {
    @Override
    public String toString() {
      return (allocation ? "+" : "-") + " " + category.key() + " " + label + " " + bytes;
    }
  }

  private record Buffer(Category category, String label, long bytes) {}

  private final MemoryBudget budget;
  private final Map<Long, Buffer> live = new LinkedHashMap<>();
  private final long[] now = new long[Category.values().length];
  private final long[] peak = new long[Category.values().length];
  private long[] atTotalPeak = new long[Category.values().length];
  private long totalNow;
  private long totalPeak;
  private long nextId;
  private List<Event> timeline;

  /** A ledger without a limit. */
  public MemoryLedger() {
    this(MemoryBudget.UNLIMITED);
  }

  /** A ledger that refuses what would exceed {@code budget}. */
  public MemoryLedger(MemoryBudget budget) {
    this.budget = budget;
  }

  /**
   * Enters a new buffer.
   *
   * @return the id to pass to {@link #freed}
   * @throws OutOfBudgetException if the total would exceed the budget; nothing is entered then
   */
  public long allocated(Category category, String label, long bytes) {
    if (bytes < 0) throw new IllegalArgumentException(label + ": negative size " + bytes);
    requireRoom(category, label, bytes);
    return held(category, label, bytes);
  }

  /** Enters a buffer that is held already, even where it exceeds the budget; returns its id. */
  public long held(Category category, String label, long bytes) {
    long id = nextId++;
    live.put(id, new Buffer(category, label, bytes));
    int c = category.ordinal();
    now[c] += bytes;
    totalNow += bytes;
    peak[c] = Math.max(peak[c], now[c]);
    if (totalNow > totalPeak) {
      totalPeak = totalNow;
      atTotalPeak = now.clone();
    }
    record(id, true, category, label, bytes);
    return id;
  }

  /** Removes a buffer; IllegalStateException for an unknown id, as of a second release. */
  public void freed(long id) {
    Buffer buffer = live.remove(id);
    if (buffer == null) throw new IllegalStateException("buffer " + id + " was released twice");
    now[buffer.category.ordinal()] -= buffer.bytes;
    totalNow -= buffer.bytes;
    record(id, false, buffer.category, buffer.label, buffer.bytes);
  }

  private void record(long id, boolean allocation, Category category, String label, long bytes) {
    if (timeline != null) {
      timeline.add(new Event(id, allocation, category, label, bytes, totalNow));
    }
  }

  /** The limit. */
  public MemoryBudget budget() {
    return budget;
  }

  /**
   * Refuses a block for buffers to come that does not fit beside those in use; enters nothing.
   *
   * @throws OutOfBudgetException if it would exceed the budget
   */
  public void requireRoom(Category category, String label, long bytes) {
    if (bytes > budget.bytes() - totalNow) {
      throw new OutOfBudgetException(budget, report(), category, label, bytes);
    }
  }

  /** Bytes in use now, all categories. */
  public long totalBytes() {
    return totalNow;
  }

  /** Bytes in use now in one category. */
  public long bytes(Category category) {
    return now[category.ordinal()];
  }

  /** Number of buffers in use now. */
  public int liveBuffers() {
    return live.size();
  }

  /** Labels of the buffers of the given categories that are in use now, oldest first. */
  public List<String> liveLabels(Category... categories) {
    List<Category> wanted = List.of(categories);
    return live.values().stream()
        .filter(b -> wanted.contains(b.category))
        .map(Buffer::label)
        .toList();
  }

  /** Forgets the peaks: they start again from what is in use now. */
  public void resetPeak() {
    System.arraycopy(now, 0, peak, 0, now.length);
    atTotalPeak = now.clone();
    totalPeak = totalNow;
  }

  /** Starts to list events; an earlier list is dropped. */
  public void startTimeline() {
    timeline = new ArrayList<>();
  }

  /** Stops listing and returns the events since {@link #startTimeline()}. */
  public List<Event> stopTimeline() {
    if (timeline == null) throw new IllegalStateException("no timeline was started");
    List<Event> events = timeline;
    timeline = null;
    return List.copyOf(events);
  }

  /** Marks this moment for {@link #freeSince} and {@link #checkNoneSince}. */
  public long mark() {
    return nextId;
  }

  /** Removes all buffers that came after the mark, as of an interrupted step; returns their ids. */
  public List<Long> freeSince(long mark) {
    List<Long> ids = live.keySet().stream().filter(id -> id >= mark).toList();
    ids.forEach(this::freed);
    return ids;
  }

  /** Refuses, by IllegalStateException with the first names, buffers that came after the mark. */
  public void checkNoneSince(long mark) {
    report(
        live.entrySet().stream().filter(e -> e.getKey() >= mark).map(Map.Entry::getValue).toList());
  }

  /** A snapshot of all numbers. */
  public MemoryReport report() {
    return new MemoryReport(
        byCategory(now), byCategory(peak), byCategory(atTotalPeak), totalNow, totalPeak);
  }

  private static Map<Category, Long> byCategory(long[] values) {
    Map<Category, Long> map = new EnumMap<>(Category.class);
    for (Category c : Category.values()) map.put(c, values[c.ordinal()]);
    return map;
  }

  /** Refuses, by IllegalStateException with the first names, buffers of other categories. */
  public void checkOnly(Category... allowed) {
    List<Category> kept = List.of(allowed);
    report(live.values().stream().filter(b -> !kept.contains(b.category)).toList());
  }

  private static void report(List<Buffer> leaked) {
    if (leaked.isEmpty()) return;
    List<String> first =
        leaked.stream().limit(5).map(b -> b.category.key() + " " + b.label).toList();
    throw new IllegalStateException(
        leaked.size() + " buffers were not released, the first: " + String.join(", ", first));
  }

  /** The {@link #report()}. */
  @Override
  public String toString() {
    return report().toString();
  }
}
