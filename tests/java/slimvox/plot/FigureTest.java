package slimvox.plot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class FigureTest {
  private static final String[] NETS = {"ResNet18", "ResNet34"};

  private static BufferedImage picture(Figure figure) throws IOException {
    return ImageIO.read(new ByteArrayInputStream(figure.png(1)));
  }

  private static int pixels(BufferedImage image, int rgb) {
    int count = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        if ((image.getRGB(x, y) & 0xF8F8F8) == (rgb & 0xF8F8F8)) count++;
      }
    }
    return count;
  }

  @Test
  void barsHaveTheHeightOfTheirValues() throws IOException {
    Figure figure = Figure.of("").bars("", NETS, new double[] {100, 100});
    int both = pixels(picture(figure), 0x0072B2);
    int one = pixels(picture(Figure.of("").bars("", NETS, new double[] {100, 0})), 0x0072B2);
    int oneAndAHalf =
        pixels(picture(Figure.of("").bars("", NETS, new double[] {100, 50})), 0x0072B2);
    assertTrue(one > 20_000, "a bar of " + one + " pixels");
    assertEquals(2.0, both / (double) one, 0.01);
    assertEquals(1.5, oneAndAHalf / (double) one, 0.01);
  }

  @Test
  void stackedBarsStandOnEachOther() throws IOException {
    Figure figure =
        Figure.of("")
            .bars("low", NETS, new double[] {1, 2})
            .bars("high", NETS, new double[] {3, 6})
            .stacked();
    BufferedImage image = picture(figure);
    double low = pixels(image, 0x0072B2);
    double high = pixels(image, 0xD55E00);
    assertEquals(3.0, high / low, 0.1, "soft edges belong to neither");
    assertArrayEquals(new double[] {1, 2}, figure.bases().get(1));
  }

  @Test
  void pointsStandBesideTheBarsOfTheirCategory() throws IOException {
    double[] x = {0.28, 0.28, 1.28};
    Figure figure =
        Figure.of("")
            .bars("", NETS, new double[] {1, 1})
            .scatter("runs", x, new double[] {1, 2, 3});
    double one = pixels(picture(Figure.of("").scatter("", new double[1], new double[1])), 0x0072B2);
    double all = pixels(picture(figure), 0xD55E00);
    double legend = pixels(picture(figure.y(Axis.linear("").range(-2, -1))), 0xD55E00);
    assertEquals(3, (all - legend) / one, 0.5);
  }

  @Test
  void gapsAndPlacesOffTheScaleAreLeftOut() throws IOException {
    double[] x = {1, 2, 3, 4};
    double[] y = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY};
    Figure figure = Figure.of("").y(Axis.log("loss")).line("nothing to draw", x, y);
    assertEquals(0, pixels(picture(figure), 0x0072B2));
    assertTrue(figure.html("f").contains("y: [null,0,-1,null],"), figure.html("f"));
  }

  @Test
  void everyKindOfSeriesIsDrawnBothWays() throws IOException {
    double[] x = {1, 2, 3};
    double[] y = {0.1, 0.2, 0.3};
    Figure figure =
        Figure.of("It's \"all\" <here>")
            .area("area", x, y)
            .area("area on area", x, y)
            .line("line", x, y)
            .dashed("dashed", x, y)
            .step("step", x, y)
            .scatter("scatter", x, y)
            .level("level", 0.25);
    String html = figure.html("f");
    for (Series s : figure.series()) assertTrue(html.contains("name: '" + s.name() + "'"), html);
    assertTrue(html.contains("title: 'It\\u0027s \\u0022all\\u0022 \\u0026\\u0023"), html);
    BufferedImage image = picture(figure);
    for (int i = 0; i < figure.series().size(); i++) {
      int rgb = Palette.series(i).getRGB();
      int series = i;
      assertTrue(pixels(image, rgb) > 20, () -> "series " + series + " is not in the picture");
    }
  }

  @Test
  void namesFromFilesStayTextInTheScript() throws IOException {
    String[] names = {
      "x</script><script>alert(1)</script>",
      "a\\",
      "a\nb",
      "'\"<&>",
      "a\u2028b",
      "${x}",
      "<!--",
      "1"
    };
    String plain =
        Figure.of("t").x("x").y("y").bars("n", new String[] {"1"}, new double[1]).html("f");
    for (String name : names) {
      Figure figure =
          Figure.of(name)
              .x(name)
              .y(Axis.linear(name).ticks(new double[] {1}, new String[] {name}))
              .bars(name, new String[] {name}, new double[] {1})
              .level(name, 1);
      String html = figure.html("f");
      assertEquals(plain.split("<", -1).length, html.split("<", -1).length, html);
      // Between quotes there is only what every part of the page takes as it is.
      Matcher quoted = Pattern.compile("'[^']*'|\"[^\"]*\"").matcher(script(html));
      while (quoted.find()) {
        String literal = quoted.group().substring(1, quoted.group().length() - 1);
        assertTrue(literal.matches("([-\\w .,()%+#]|\\\\u[0-9a-f]{4})*"), literal);
      }
      assertTrue(!script(html).replaceAll("'[^']*'|\"[^\"]*\"", "").contains("\\"), html);
      assertTrue(figure.png(1).length > 0);
    }
  }

  private static String script(String html) {
    return html.substring(html.indexOf("<script>"), html.indexOf("</script>"));
  }

  @Test
  void detAxesPlaceProbabilitiesAtQuantiles() {
    String html = Figure.det("DET").line("net", new double[] {0.025}, new double[] {0.5}).html("f");
    assertTrue(html.contains("-1.9599639845"), html);
    assertTrue(html.contains("hoverinfo: 'text+name'"), html);
    assertTrue(html.contains("2.5 % / 50 %"), html);
  }

  @Test
  void picturesHaveTwiceThePixelsOfThePage() throws IOException {
    BufferedImage image =
        ImageIO.read(new ByteArrayInputStream(Figure.of("").size(300, 200).png()));
    assertEquals(600, image.getWidth());
    assertEquals(400, image.getHeight());
  }

  @Test
  void lengthsThatDifferNameTheSeries() {
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> Figure.of("").line("loss", new double[3], new double[2]));
    assertEquals("series 'loss': 3 x values but 2 y values", e.getMessage());
  }

  @Test
  void barsOfOtherCategoriesAreRejected() {
    Figure figure = Figure.of("").bars("a", NETS, new double[2]);
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> figure.bars("b", new String[] {"ResNet50"}, new double[1]));
    assertEquals(
        "bars 'b' have the categories [ResNet50], but the figure has [ResNet18, ResNet34]",
        e.getMessage());
  }

  @Test
  void withoutFontsTextIsLeftOut() throws IOException {
    Figure figure = Figure.of("title").x("steps").y("loss").line("loss", 1, 2, 3).level("level", 2);
    Figure bars = Figure.of("title").x("nets").y("EER").bars("bars", NETS, new double[] {1, 2});
    for (Figure f : List.of(figure, bars)) {
      BufferedImage image = ImageIO.read(new ByteArrayInputStream(new Picture(f, null).png(1)));
      assertTrue(pixels(image, 0x0072B2) > 200, "the series is drawn");
      assertEquals(0, pixels(image, Palette.INK.getRGB()));
    }
  }

  @Test
  void theScriptBringsPlotlyAndFetchesNothing() {
    String script = PlotlyPage.script();
    assertTrue(script.contains("DecompressionStream"));
    assertTrue(script.length() < 500_000, "the script has " + script.length() + " characters");
    assertTrue(!script.contains("http"), "the script names an address");
  }
}
