package slimvox.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Offsets in one block for every buffer of a training step, fixed before the step runs.
 *
 * <p>A step of fixed shape allocates the same buffers in the same order every time. From the
 * timeline of one dry step the life of each buffer is known, and buffers whose lives do not overlap
 * can share bytes. Finding the smallest block is NP-hard; this takes the buffers from the largest
 * to the smallest and puts each into the tightest gap left by those that live at the same time
 * ("greedy by size", Pisarchyk and Lee 2020, arXiv 2001.03288), and does the same in order of
 * appearance; the smaller result is kept. {@link #liveBytes()} is the lower bound.
 *
 * @param slots the buffers in order of allocation
 * @param bytes size of the block
 * @param liveBytes highest sum of the buffers alive at one time: no plan can be smaller
 */
public record ArenaPlan(List<Slot> slots, long bytes, long liveBytes) {
  /** Offsets are multiples of this many bytes: one cache line, one AVX-512 register. */
  public static final int ALIGNMENT = 64;

  /** One planned buffer, in order of allocation; offset in bytes from the start of the block. */
  public record Slot(Category category, String label, long bytes, long offset) {}

  private record Life(int index, long bytes, int from, int to) {
    boolean overlaps(Life other) {
      return from < other.to && other.from < to;
    }
  }

  /**
   * Plans the buffers of a recorded step.
   *
   * @param events the timeline of one step; releases of buffers allocated before it are not allowed
   * @throws IllegalArgumentException if a buffer of the step is never released
   */
  public static ArenaPlan of(List<MemoryLedger.Event> events) {
    Map<Long, Integer> start = new HashMap<>();
    List<MemoryLedger.Event> allocations = new ArrayList<>();
    int[] end = new int[events.size()];
    for (int t = 0; t < events.size(); t++) {
      MemoryLedger.Event e = events.get(t);
      if (e.allocation()) {
        start.put(e.id(), allocations.size());
        allocations.add(e);
      } else if (start.containsKey(e.id())) {
        end[start.get(e.id())] = t;
      } else {
        throw new IllegalArgumentException(e.label() + " was released but not allocated here");
      }
    }
    List<Life> lives = new ArrayList<>();
    int index = 0;
    long live = 0;
    long peak = 0;
    for (int t = 0; t < events.size(); t++) {
      MemoryLedger.Event e = events.get(t);
      live += e.allocation() ? aligned(e.bytes()) : -aligned(e.bytes());
      peak = Math.max(peak, live);
      if (!e.allocation()) continue;
      if (end[index] == 0) throw new IllegalArgumentException(e.label() + " is never released");
      lives.add(new Life(index, aligned(e.bytes()), t, end[index]));
      index++;
    }
    List<Life> bySize = new ArrayList<>(lives);
    bySize.sort(Comparator.comparingLong(Life::bytes).reversed().thenComparingInt(Life::index));
    long[] offsets = place(bySize);
    long bytes = height(lives, offsets);
    if (bytes > peak) {
      long[] inOrder = place(lives);
      long height = height(lives, inOrder);
      if (height < bytes) {
        offsets = inOrder;
        bytes = height;
      }
    }
    List<Slot> slots = new ArrayList<>();
    for (int i = 0; i < allocations.size(); i++) {
      MemoryLedger.Event e = allocations.get(i);
      slots.add(new Slot(e.category(), e.label(), e.bytes(), offsets[i]));
    }
    return new ArenaPlan(List.copyOf(slots), bytes, peak);
  }

  /** Each buffer goes into the smallest gap that holds it, or on top. */
  private static long[] place(List<Life> order) {
    long[] offsets = new long[order.size()];
    List<Life> placed = new ArrayList<>(); // sorted by offset
    for (Life life : order) {
      long best = -1;
      long bestGap = Long.MAX_VALUE;
      long top = 0;
      for (Life other : placed) {
        if (!life.overlaps(other)) continue;
        long offset = offsets[other.index()];
        long gap = offset - top;
        if (gap >= life.bytes() && gap < bestGap) {
          best = top;
          bestGap = gap;
        }
        top = Math.max(top, offset + other.bytes());
      }
      long offset = best >= 0 ? best : top;
      offsets[life.index()] = offset;
      int at = placed.size();
      while (at > 0 && offsets[placed.get(at - 1).index()] > offset) at--;
      placed.add(at, life);
    }
    return offsets;
  }

  private static long height(List<Life> lives, long[] offsets) {
    long height = 0;
    for (Life life : lives) height = Math.max(height, offsets[life.index()] + life.bytes());
    return height;
  }

  private static long aligned(long bytes) {
    return Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  }

  /** Number of buffers and size of the block. */
  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%,d buffers in %,d bytes", slots.size(), bytes);
  }
}
