package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.xml.sax.InputSource;
import slimvox.models.ModelSpec;
import slimvox.step.MemoryScheme;

class NetworkDiagramTest {
  private static Map<String, ModelSpec> networks(String model) {
    Map<String, ModelSpec> networks = new LinkedHashMap<>();
    for (MemoryScheme s :
        new MemoryScheme[] {MemoryScheme.VANILLA, MemoryScheme.TYPE_I, MemoryScheme.TYPE_II}) {
      networks.put(s.label(), s.apply(ModelSpec.of(model)));
    }
    return networks;
  }

  @Test
  void boxesHaveTheChannelsOfTheBuiltNetwork() {
    assertEquals(
        """
        vanilla: conv 3x3 1 → 32; 3 x block 32 → 32 → 32; block 32 → 64 → 64; 3 x block 64 → 64 → 64; \
        block 64 → 128 → 128; 5 x block 128 → 128 → 128; block 128 → 256 → 256; \
        2 x block 256 → 256 → 256; linear 5120 → 256.\
        """,
        NetworkDiagram.text(networks("ResNet34")).lines().findFirst().orElseThrow());
    String deep = NetworkDiagram.text(networks("DF-ResNet56"));
    assertTrue(deep.contains("block 32 → 128 → 128 → 32"), deep);
  }

  @Test
  void reversibleBlocksAreMarkedAndTypeTwoEndsWithTheSameWidth() {
    String[] lines = NetworkDiagram.text(networks("ResNet34")).split("\n");
    assertTrue(lines[1].contains("block 32 → 64 → 64; "), lines[1]);
    assertTrue(lines[1].contains("(rebuilt)"), lines[1]);
    assertTrue(lines[2].contains("conv 1x1 2048 → 256"), lines[2]);
    assertTrue(!lines[2].contains("block"), lines[2]);
  }

  @Test
  void thePictureIsXmlWithABoxForEach() throws Exception {
    var networks = networks("ResNet18");
    String svg = NetworkDiagram.svg(networks);
    var document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(svg)));
    int boxes = document.getElementsByTagName("rect").getLength() - 1;
    long said = NetworkDiagram.text(networks).chars().filter(c -> c == ';').count() + 3;
    assertEquals(said, boxes);
    assertEquals(
        NetworkDiagram.text(networks),
        document.getElementsByTagName("title").item(0).getTextContent());
  }
}
