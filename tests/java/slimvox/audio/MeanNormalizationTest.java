package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MeanNormalizationTest {
  @ParameterizedTest
  @CsvSource({"1, 80", "2, 1", "128, 3", "129, 17", "300, 64", "60000, 23"})
  void everyBinHasItsOwnMeanSubtracted(int frames, int bins) {
    var random = new SplittableRandom(frames);
    var values = new float[frames * bins];
    var means = new double[bins];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian(i % bins - 10, 3);
      means[i % bins] += (double) values[i] / frames;
    }
    float[] before = values.clone();
    var features = new Features(values, frames, bins);
    assertSame(features, MeanNormalization.apply(features));
    for (int i = 0; i < values.length; i++) {
      assertEquals(before[i] - means[i % bins], values[i], 2e-5, "value " + i);
    }
  }
}
