package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.BinaryGradient;
import slimvox.models.Binarization;
import slimvox.nn.BinaryScheme;
import slimvox.settings.Key;

/** What reaches the network of the section {@code model.binary}; what is refused: RecipeTest. */
class BinarySettingsTest {
  @Test
  void settingsOfBinaryNetworksAreWhatSuitsTheirScheme() {
    Recipe float32 = Recipe.shipped("wespeaker-resnet34");
    for (String scheme : List.of("bwn", "paper", "w1a1", "w32a1")) {
      boolean signs = scheme.endsWith("a1");
      Binarization b = float32.with("model.binary.scheme=" + scheme).model().binarization();
      assertEquals(scheme, Key.of(b.scheme()));
      assertEquals(Binarization.ALL_LAYERS, b.layers());
      assertTrue(b.shortcuts());
      assertEquals(
          scheme.equals("paper") ? BinaryGradient.XNOR : BinaryGradient.STE, b.gradient(), scheme);
      assertEquals(signs, b.shifts(), scheme);
      assertEquals(
          signs ? Binarization.Activation.RPRELU : Binarization.Activation.RELU,
          b.activation(),
          scheme);
    }
    Binarization own =
        float32
            .with(
                "model.binary.scheme=w1a1",
                "model.binary.layers=[layer3, layer4.0.conv1]",
                "model.binary.shortcuts=false",
                "model.binary.gradient=exact",
                "model.binary.shifts=false",
                "model.binary.activation=none")
            .model()
            .binarization();
    assertEquals(
        new Binarization(
            BinaryScheme.W1A1,
            List.of("layer3", "layer4.0.conv1"),
            false,
            BinaryGradient.EXACT,
            false,
            Binarization.Activation.NONE),
        own);
  }
}
