package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class StableVectorsTest {
  private static final int LANES = FloatVector.SPECIES_PREFERRED.length();

  private static float log(float x) {
    return StableVectors.log(FloatVector.broadcast(FloatVector.SPECIES_PREFERRED, x)).lane(0);
  }

  @Test
  void logarithmIsWithinTwoUnitsInTheLastPlace() {
    var random = new SplittableRandom(1);
    for (int i = 0; i < 200_000; i++) {
      float x = (float) Math.exp(random.nextDouble(-87, 88));
      double expected = Math.log(x);
      // Near 1 the result is small; a unit of the argument is the scale there.
      double unit = Math.max(Math.ulp((float) expected), Math.ulp(0.1f));
      assertEquals(expected, log(x), 2 * unit, () -> "x = " + x);
    }
    assertEquals(0, log(1));
    assertEquals((float) Math.log(Fbank.FLOOR), log(Fbank.FLOOR));
  }

  @Test
  void sumAddsTheHalvesLaneByLane() {
    var random = new SplittableRandom(3);
    var values = new float[LANES];
    for (int round = 0; round < 1000; round++) {
      for (int i = 0; i < LANES; i++) values[i] = (float) random.nextGaussian();
      var vector = FloatVector.fromArray(FloatVector.SPECIES_PREFERRED, values, 0);
      assertEquals(halves(values), StableVectors.sum(vector));
    }
  }

  private static float halves(float[] values) {
    var sums = values.clone();
    for (int n = sums.length / 2; n > 0; n /= 2) {
      for (int i = 0; i < n; i++) sums[i] += sums[i + n];
    }
    return sums[0];
  }

  @Test
  void featuresHaveTheSameBitsEarlyAndLateInARun() {
    // The first calls are interpreted, the last ones compiled.
    var random = new SplittableRandom(2);
    var samples = new float[16000];
    for (int i = 0; i < samples.length; i++) samples[i] = (float) (0.1 * random.nextGaussian());
    var wave = new Waveform(samples, 16000);
    var fbank = new Fbank(FbankOptions.wespeaker());
    var slower = new SpeedPerturbation(0.9);
    float[] sound = slower.apply(wave).samples();
    float[] features = fbank.compute(wave, "noise").values();
    long start = System.nanoTime();
    int rounds = 0;
    for (; rounds < 50 || System.nanoTime() - start < 2_000_000_000L; rounds++) {
      assertArrayEquals(sound, slower.apply(wave).samples());
      assertArrayEquals(features, fbank.compute(wave, "noise").values());
    }
    assertTrue(rounds >= 50);
  }
}
