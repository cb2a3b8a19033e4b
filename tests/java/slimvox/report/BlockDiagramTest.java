package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import slimvox.models.ModelSpec;

class BlockDiagramTest {
  private static Map<String, ModelSpec> networks(ModelSpec... specs) {
    Map<String, ModelSpec> networks = new LinkedHashMap<>();
    for (ModelSpec spec : specs) networks.put("network " + networks.size(), spec);
    return networks;
  }

  @Test
  void blocksAreThoseOfTheBuiltNetworks() {
    assertEquals(
        """
        network 0: conv 1x1 64 → 256; normalization; ReLU; depthwise 3x3 256 → 256; normalization; \
        ReLU; conv 1x1 256 → 64; normalization; + input of the block; ReLU.
        network 1: normalization; ReLU; conv 3x3 64 → 64; normalization; ReLU; conv 3x3 64 → 64; \
        + input of the block.
        network 2, F: normalization; ReLU; conv 3x3 64 → 32; normalization; ReLU; conv 3x3 32 → 64; \
        + the other stream.
        network 2, G: normalization; ReLU; conv 3x3 64 → 32; normalization; ReLU; conv 3x3 32 → 64; \
        + the other stream.\
        """,
        BlockDiagram.of(
                networks(
                    ModelSpec.of("DF-ResNet56"),
                    ModelSpec.of("ResNet34", "preActivation=true"),
                    ModelSpec.of("ResNet34", "reversible=full", "units=a")))
            .text());
  }

  @Test
  void signsAndTheirThresholdsStandBeforeBinaryConvolutions() {
    var networks =
        networks(
            ModelSpec.of("ResNet34", "binary.scheme=w1a1"),
            ModelSpec.of("ResNet34", "binary.scheme=bwn", "binary.layers=[layer3]"));
    String half =
        "sign of input + threshold; conv 3x3 64 → 64, 1-bit weights; normalization;"
            + " + input of the sign; RPReLU";
    assertEquals(
        "network 0: " + half + "; " + half + ".",
        BlockDiagram.of(networks).text().lines().findFirst().orElseThrow());
    assertTrue(
        !BlockDiagram.of(networks).text().lines().skip(1).toList().getFirst().contains("1-bit"),
        "the block is of the second stage");
    String svg = BlockDiagram.of(networks).svg();
    assertTrue(svg.contains(">1 bit</text>") && svg.contains(">integers x scale</text>"), svg);
  }
}
