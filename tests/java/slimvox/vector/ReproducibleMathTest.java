package slimvox.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Samples;
import slimvox.audio.SpeedPerturbation;
import slimvox.audio.Waveform;

class ReproducibleMathTest {
  private static final int LANES = FloatVector.SPECIES_PREFERRED.length();

  private static float log(float x) {
    return ReproducibleMath.log(FloatVector.broadcast(FloatVector.SPECIES_PREFERRED, x)).lane(0);
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

  private static float exp(float x) {
    return ReproducibleMath.exp(FloatVector.broadcast(FloatVector.SPECIES_PREFERRED, x)).lane(0);
  }

  private static float tanh(float x) {
    return ReproducibleMath.tanh(FloatVector.broadcast(FloatVector.SPECIES_PREFERRED, x)).lane(0);
  }

  @Test
  void exponentialIsWithinTwoUnitsInTheLastPlace() {
    var random = new SplittableRandom(4);
    for (int i = 0; i < 200_000; i++) {
      float x = (float) random.nextDouble(-87, 88.7);
      double expected = Math.exp(x);
      assertEquals(expected, exp(x), 2 * Math.ulp((float) expected), () -> "x = " + x);
    }
    assertEquals(1, exp(0));
    assertEquals(0, exp(-88));
    assertEquals(0, exp(Float.NEGATIVE_INFINITY));
    assertEquals(Float.POSITIVE_INFINITY, exp(89));
    assertEquals(Float.POSITIVE_INFINITY, exp(Float.POSITIVE_INFINITY));
    assertTrue(Float.isNaN(exp(Float.NaN)));
  }

  @Test
  void hyperbolicTangentIsWithinThreeUnitsInTheLastPlace() {
    var random = new SplittableRandom(5);
    for (int i = 0; i < 200_000; i++) {
      float x = (float) (random.nextGaussian() * (i % 2 == 0 ? 0.3 : 5));
      double expected = Math.tanh(x);
      assertEquals(expected, tanh(x), 3 * Math.ulp((float) expected), () -> "x = " + x);
    }
    assertEquals(0, tanh(0));
    assertEquals(1, tanh(100));
    assertEquals(-1, tanh(Float.NEGATIVE_INFINITY));
    assertTrue(Float.isNaN(tanh(Float.NaN)));
  }

  @Test
  void sumAddsTheHalvesLaneByLane() {
    var random = new SplittableRandom(3);
    var values = new float[LANES];
    for (int round = 0; round < 1000; round++) {
      for (int i = 0; i < LANES; i++) values[i] = (float) random.nextGaussian();
      var vector = FloatVector.fromArray(FloatVector.SPECIES_PREFERRED, values, 0);
      assertEquals(halves(values), ReproducibleMath.sum(vector));
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
    float[] sound = slower.over(Samples.of(samples)).all();
    float[] features = fbank.compute(wave, "noise").values();
    long start = System.nanoTime();
    int rounds = 0;
    for (; rounds < 50 || System.nanoTime() - start < 2_000_000_000L; rounds++) {
      assertArrayEquals(sound, slower.over(Samples.of(samples)).all());
      assertArrayEquals(features, fbank.compute(wave, "noise").values());
    }
    assertTrue(rounds >= 50);
  }
}
