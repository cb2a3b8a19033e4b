package slimvox.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ArenaPlanTest {
  @Test
  void buffersThatNeverMeetShareBytes() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.startTimeline();
    for (int i = 0; i < 10; i++) {
      ledger.freed(ledger.allocated(Category.WORKSPACE, "w" + i, 1000));
    }
    ArenaPlan plan = ArenaPlan.of(ledger.stopTimeline());
    assertEquals(1024, plan.bytes());
    assertEquals(10, plan.slots().size());
  }

  @Test
  void noTwoLiveBuffersOverlapAndTheBlockStaysNearTheLowerBound() {
    for (int seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      MemoryLedger ledger = new MemoryLedger();
      ledger.startTimeline();
      List<Long> live = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        if (live.isEmpty() || random.nextInt(5) < 3) {
          int bytes = 1 + random.nextInt(1 << random.nextInt(16));
          live.add(ledger.allocated(Category.ACTIVATION, "b" + i, bytes));
        } else {
          ledger.freed(live.remove(random.nextInt(live.size())));
        }
      }
      for (long id : live) ledger.freed(id);
      List<MemoryLedger.Event> events = ledger.stopTimeline();
      ArenaPlan plan = ArenaPlan.of(events);
      checkNoOverlap(events, plan);
      assertTrue(plan.bytes() >= plan.liveBytes());
      assertTrue(
          plan.bytes() <= 1.25 * plan.liveBytes(),
          "seed " + seed + ": " + plan.bytes() + " bytes for " + plan.liveBytes());
    }
  }

  private static void checkNoOverlap(List<MemoryLedger.Event> events, ArenaPlan plan) {
    List<MemoryLedger.Event> live = new ArrayList<>();
    List<ArenaPlan.Slot> slots = new ArrayList<>();
    int next = 0;
    for (MemoryLedger.Event e : events) {
      if (!e.allocation()) {
        int at = 0;
        while (live.get(at).id() != e.id()) at++;
        live.remove(at);
        slots.remove(at);
        continue;
      }
      ArenaPlan.Slot slot = plan.slots().get(next++);
      assertEquals(0, slot.offset() % ArenaPlan.ALIGNMENT);
      assertTrue(slot.offset() + slot.bytes() <= plan.bytes());
      for (ArenaPlan.Slot other : slots) {
        assertTrue(
            slot.offset() + slot.bytes() <= other.offset()
                || other.offset() + other.bytes() <= slot.offset(),
            slot + " overlaps " + other);
      }
      live.add(e);
      slots.add(slot);
    }
  }

  @Test
  void aBufferThatIsNeverReleasedIsNamed() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.startTimeline();
    ledger.allocated(Category.ACTIVATION, "conv1.out", 4);
    var e = assertThrows(IllegalArgumentException.class, () -> ArenaPlan.of(ledger.stopTimeline()));
    assertEquals("conv1.out is never released", e.getMessage());
  }
}
