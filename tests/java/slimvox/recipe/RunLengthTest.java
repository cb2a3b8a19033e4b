package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RunLengthTest {
  @ParameterizedTest
  @CsvSource({
    "500 steps, 500, 500 steps",
    "1 step, 1, 1 step",
    "1 epochs, 45, 1 epoch",
    "6epochs, 270, 6 epochs",
    "0.5 EPOCH, 23, 0.5 epochs",
    "40 %, 400, 40 %",
    "12.5%, 125, 12.5 %",
    "0 steps, 0, 0 steps",
    "9999999999 steps, 9999999999, 9999999999 steps"
  })
  void textBecomesStepsOfARun(String text, long steps, String canonical) {
    RunLength span = RunLength.parse(text);
    assertEquals(steps, span.toSteps(45, 1000));
    assertEquals(canonical, span.toString());
    assertEquals(span, RunLength.parse(canonical));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "5", "steps", "-1 steps", "1.5 steps", "101 %", "1e3 steps", "5 days"})
  void otherTextsAreRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> RunLength.parse(text));
  }

  @Test
  void numbersThatAreNoPartOfARunAreRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> new RunLength(Double.NaN, RunLength.Unit.EPOCHS));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RunLength(Double.POSITIVE_INFINITY, RunLength.Unit.PERCENT));
    assertThrows(IllegalArgumentException.class, () -> new RunLength(-1, RunLength.Unit.STEPS));
  }
}
