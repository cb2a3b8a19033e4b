package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.models.ModelSpec.Units;
import slimvox.settings.Key;

class MultiplyAddsTest {
  @Test
  void countsAreThoseOfTheLayers() {
    // 3x3 convolutions of ResNet18 at width 1, 8 bins, 16 frames, embedding 1, counted by hand:
    // stem 1152; stage 1: 4 x 1152; each later stage: a strided one of half the cost, three whole
    // ones and a 1x1 shortcut; the embedding has 2 x 8 inputs.
    long whole = 8 * 16 * 9;
    long hand = whole + 4 * whole;
    for (int stage = 1; stage < 4; stage++) hand += whole / 2 + 3 * whole + whole / 18;
    hand += 2 * 8;
    ModelSpec spec = ModelSpec.of("ResNet18", "width=1", "bins=8", "embeddingSize=1");
    assertEquals(hand, Models.multiplyAdds(spec, 16));
  }

  @Test
  void fullSizesAreThePublishedOnes() {
    // WeSpeaker's FLOPs for ResNet34 are these and the normalizations': 4.55 G.
    assertEquals(4.528e9, Models.multiplyAdds(ModelSpec.of("ResNet34"), 200), 0.001e9);
  }

  @Test
  void reversibleNetworksHaveAboutTheVanillaOnes() {
    for (String name : Models.names()) {
      double vanilla = Models.multiplyAdds(ModelSpec.of(name), 200);
      for (Reversibility kind : List.of(Reversibility.PARTIAL, Reversibility.FULL)) {
        for (Units units : Units.values()) {
          ModelSpec spec =
              ModelSpec.of(name).with("reversible=" + Key.of(kind), "units=" + Key.of(units));
          double ratio = Models.multiplyAdds(spec, 200) / vanilla;
          assertTrue(ratio > 0.88 && ratio < 1.05, name + " " + kind + " " + units + ": " + ratio);
        }
      }
    }
  }

  @Test
  void slicesCostNoMultiplyAdds() {
    for (Reversibility kind : List.of(Reversibility.PARTIAL, Reversibility.FULL)) {
      ModelSpec spec = ModelSpec.of("DF-ResNet56").with("reversible=" + Key.of(kind));
      long whole = Models.multiplyAdds(spec, 200);
      assertEquals(whole, Models.multiplyAdds(Models.lean(spec), 200));
    }
  }
}
