package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class FbankBenchmarkTest {
  @Test
  void figuresBelongTogether() {
    FbankBenchmark.Result result = FbankBenchmark.run(0.5, 2);
    assertEquals(48, result.frames());
    assertEquals(2, result.threads());
    assertTrue(result.bestMs() > 0 && result.bestMs() <= result.medianMs(), result.toString());
    assertEquals(2 * 500 / result.medianMs(), result.realTimeFactor(), 1e-6);
    assertEquals(result.realTimeFactor(), 2 * result.realTimeFactorPerThread(), 1e-6);
  }

  @Test
  void lessThanAFrameOrNoThreadIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> FbankBenchmark.run(0.02, 1));
    assertThrows(IllegalArgumentException.class, () -> FbankBenchmark.run(1, 0));
  }
}
