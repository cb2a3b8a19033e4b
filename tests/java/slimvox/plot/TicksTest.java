package slimvox.plot;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class TicksTest {
  private static List<String> labels(Axis axis, double low, double high, int atMost) {
    return Ticks.of(axis, low, high, atMost).stream().map(Ticks.Tick::label).toList();
  }

  @Test
  void linearTicksAreRoundNumbers() {
    Axis axis = Axis.linear("");
    assertEquals(List.of("0", "25", "50", "75", "100"), labels(axis, 0, 100, 4));
    assertEquals(List.of("-0.2", "0", "0.2", "0.4"), labels(axis, -0.25, 0.41, 5));
    assertEquals(List.of("0", "500", "1,000", "1,500"), labels(axis, 0, 1600, 4));
  }

  @Test
  void logTicksArePowersOfTenAndTheirParts() {
    Axis axis = Axis.log("");
    assertEquals(List.of("1", "10", "100", "1,000"), labels(axis, 0, 3, 6));
    assertEquals(List.of("10", "20", "50", "100", "200"), labels(axis, 1, 2.4, 6));
    assertEquals(
        List.of("1,000", "10,000"), labels(axis, 2.3, 4.9, 2), "where there is little room");
    assertEquals(
        List.of("3.1e-7", "3.2e-7", "3.3e-7"),
        labels(axis, Math.log10(3.05e-7), Math.log10(3.39e-7), 6),
        "an axis too short for round digits has ticks all the same");
  }

  @Test
  void probitTicksStandAtNormalQuantiles() {
    Axis axis = Axis.probit("");
    assertEquals(List.of("5", "10", "20", "40"), labels(axis, axis.place(0.03), 0, 9));
    assertEquals(-1.959963984540054, axis.place(0.025), 1e-9);
    assertEquals(Double.NaN, axis.place(0));
    assertEquals(Double.NaN, axis.place(1));
  }

  @Test
  void numbersHaveFourSignificantDigits() {
    assertEquals("0.0001234", Ticks.number(0.00012340001));
    assertEquals("12.35", Ticks.number(12.3456));
    assertEquals("5.177", Ticks.number(5.1771));
    assertEquals("1,234,567", Ticks.number(1234567.2));
    assertEquals("1.5e-7", Ticks.number(1.5e-7));
    assertEquals("", Ticks.number(Double.NaN));
  }
}
