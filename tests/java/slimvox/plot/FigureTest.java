package slimvox.plot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.apache.commons.math3.analysis.interpolation.LinearInterpolator;
import org.apache.commons.math3.analysis.polynomials.PolynomialSplineFunction;
import org.junit.jupiter.api.Test;
import slimvox.storage.Printable;

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
  void numbersOfAPageAreThoseOfJavaScriptInEveryLanguage() {
    Figure figure =
        Figure.of("").line("", new double[] {0.123456, 1, 2}, new double[] {1.5e-7, 2, 3});
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      String page = figure.html("id");
      assertTrue(page.contains("0.12346,1,2"), page);
      assertTrue(page.contains("1.5E-7,2,3"), page);
    } finally {
      Locale.setDefault(before);
    }
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
    assertEquals("[null,0,-1,null]", json(figure).at("/data/0/y").toString());
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
    JsonNode json = json(figure);
    assertEquals("It's \"all\" &#60;here&#62;", json.at("/layout/title/text").asText());
    for (int i = 0; i < figure.series().size(); i++) {
      assertEquals(figure.series().get(i).name(), json.at("/data/" + i + "/name").asText());
    }
    BufferedImage image = picture(figure);
    for (int i = 0; i < figure.series().size(); i++) {
      int rgb = Palette.of(figure.series()).get(i).getRGB();
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
      assertTrue(!script(html).matches("(?s).*[&'\u2028].*"), html);
      String shown = Printable.line(name);
      for (String at : List.of("/layout/title/text", "/data/0/name", "/data/0/x/0")) {
        String read = json(figure).at(at).asText();
        assertEquals(shown, read.replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&"));
        assertTrue(!read.contains("<") && !read.contains(">"), read);
      }
      assertTrue(figure.png(1).length > 0);
    }
  }

  private static String script(String html) {
    int from = html.indexOf(", {") + 2;
    return html.substring(from, html.indexOf("]);\n", from));
  }

  private static JsonNode json(Figure figure) throws IOException {
    return new ObjectMapper().readTree(script(figure.html("f")));
  }

  @Test
  void detAxesPlaceProbabilitiesAtQuantiles() throws IOException {
    Figure figure = Figure.det("DET").line("net", new double[] {0.025}, new double[] {0.5});
    JsonNode net = json(figure).at("/data/1");
    assertEquals(-1.95996, net.at("/x/0").asDouble(), 1e-4);
    assertEquals("text+name", net.at("/hoverinfo").asText());
    assertEquals("2.5 % / 50 %", net.at("/text/0").asText());
  }

  /** What is left out of a curve of many points is nearer than a pixel to what is drawn. */
  @Test
  void longLinesAreStoredWithThePointsThatCanBeSeen() throws IOException {
    double[] x = IntStream.range(0, 2000).mapToDouble(i -> i / 1999.0).toArray();
    double[] y = Arrays.stream(x).map(v -> Math.sin(9 * v) + (v == x[1234] ? 2 : 0)).toArray();
    Figure figure = Figure.of("").line("wave", x, y).line("few", 1, 1, 1);
    JsonNode wave = json(figure).at("/data/0");
    double[] left = new ObjectMapper().treeToValue(wave.get("x"), double[].class);
    double[] heights = new ObjectMapper().treeToValue(wave.get("y"), double[].class);
    assertTrue(left.length > 20 && left.length < 100, left.length + " points");
    PolynomialSplineFunction drawn = new LinearInterpolator().interpolate(left, heights);
    for (int i = 0; i < x.length; i++) {
      double pixel = 5.0 / figure.height();
      assertEquals(y[i], drawn.value(x[i]), i >= 1233 && i <= 1235 ? 2 : pixel, "at " + x[i]);
    }
    double peak = Arrays.stream(heights).max().getAsDouble();
    assertEquals(Arrays.stream(y).max().getAsDouble(), peak, 1e-3, "a single point is seen");
    assertEquals(3, json(figure).at("/data/1/x").size());
    double[] gap = {0, Double.NaN, 1};
    Figure broken = Figure.of("").line("gaps", repeated(gap, 100), repeated(gap, 100));
    assertEquals(300, json(broken).at("/data/0/x").size());
  }

  private static double[] repeated(double[] values, int times) {
    return IntStream.range(0, times * values.length)
        .mapToDouble(i -> values[i % values.length])
        .toArray();
  }

  @Test
  void picturesHaveMorePixelsThanThePage() throws IOException {
    BufferedImage image =
        ImageIO.read(new ByteArrayInputStream(Figure.of("").size(300, 200).png()));
    assertEquals(450, image.getWidth());
    assertEquals(300, image.getHeight());
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
  void theLibraryIsFoundInThePageOrBesideTheLab() {
    String script = PlotlyPage.script();
    assertTrue(script.contains("window.slimvoxPlotly"));
    assertTrue(script.contains("lab/extensions/slimvox/plotly-basic-2.35.2.min.js.gz"));
    assertTrue(script.length() < 4_200, "the script has " + script.length() + " characters");
    assertTrue(!script.contains("http"), "the script names an address");
  }

  @Test
  void coloursFollowTheMeaning() {
    double[] one = {1};
    Figure figure =
        Figure.of("")
            .line("other", one)
            .line("type II, seed 2", one)
            .line("type II, lean", one)
            .line("other", one)
            .line("type IIx", one);
    var colours = Palette.of(figure.series()).stream().map(Palette::hex).toList();
    assertEquals("#009e73", colours.get(1));
    assertEquals("#0072b2", colours.get(2));
    assertEquals(colours.get(0), colours.get(3), "one name, one colour");
    assertEquals(4, Set.copyOf(colours).size());
  }

  @Test
  void dotsStandInRowsAndTextsAreDrawn() throws IOException {
    Figure dots =
        Figure.of("").x(Axis.log("MiB")).dots("", NETS, new double[] {10, 1000}).size(400, 200);
    assertArrayEquals(new double[] {2, 1}, dots.series().getFirst().y());
    assertEquals("[\"ResNet18\",\"ResNet34\"]", json(dots).at("/layout/yaxis/ticktext").toString());
    Figure bare = Figure.of("").line("a", 1, 2, 3);
    Figure marked = bare.span("forward", 1, 2).note("peak", 3, 3);
    assertTrue(pixels(picture(marked), 0x808080) > 10_000, "forward is shaded");
    JsonNode json = json(marked);
    assertEquals("forward", json.at("/layout/annotations/0/text").asText());
    assertEquals(2, json.at("/layout/shapes/0/x1").asInt());
    assertEquals("peak", json.at("/layout/annotations/1/text").asText());
  }

  @Test
  void namesAtTheEndOfLinesDoNotOverlap() throws IOException {
    Figure figure =
        Figure.of("").line("a", 1, 2).line("b", 1, 2.001).line("c", 2, 1).level("d", 5).labelled();
    var labels = EndLabels.of(figure);
    assertEquals(4, labels.size());
    for (int i = 1; i < 4; i++) {
      double apart = labels.get(i).place() - labels.get(i - 1).place();
      assertTrue(apart > 0.1, "two names are " + apart + " apart");
    }
    PlacedAxis axis = new PlacedAxis(figure.y(), null);
    Figure crowded = figure.level("e", 5).level("f", 5);
    new Picture(crowded).fit(new PlacedAxis(crowded.x(), null), axis);
    var names = EndLabels.of(crowded);
    assertTrue(names.getLast().place() < axis.getUpperBound(), "a name above the plot");
    assertEquals(6, names.stream().mapToDouble(EndLabels.Label::place).distinct().count());
    JsonNode json = json(figure);
    assertEquals("c", json.at("/layout/annotations/0/text").asText());
    assertEquals(false, json.at("/layout/showlegend").asBoolean());
    int drawn = pixels(picture(figure), Palette.of(figure.series()).get(3).getRGB());
    int longer = pixels(picture(figure.level("a much longer name", 5)), 0xCC79A7);
    assertTrue(longer < drawn, "a longer name leaves less room: " + longer + ", " + drawn);
  }

  @Test
  void intervalsAreDotsAndLinesWithGaps() throws IOException {
    Figure figure =
        Figure.of("EERs")
            .x("EER (%)")
            .intervals("mean", 0.2, NETS, new double[] {2, 4}, new double[2], new double[] {3, 5});
    JsonNode json = json(figure);
    assertEquals("[0,3,null,0,5,null]", json.at("/data/1/x").toString());
    assertEquals("[2.2,2.2,2.2,1.2,1.2,1.2]", json.at("/data/1/y").toString());
    assertEquals(false, json.at("/data/1/showlegend").asBoolean());
    assertEquals("[\"ResNet18\",\"ResNet34\"]", json.at("/layout/yaxis/ticktext").toString());
    assertEquals(
        "EERs. Shown is EER (%): mean: ResNet18 2 (0 to 3), ResNet34 4 (0 to 5).",
        figure.caption());
    assertEquals(
        "MiB. Shown is MiB: left: ResNet18 2, ResNet34 1.",
        Figure.of("MiB")
            .x("MiB")
            .dots("left", NETS, new double[] {2, 1})
            .stretches("saved", new double[] {2, 1}, new double[] {4, 2}, new double[] {2, 1})
            .caption());
    assertEquals(
        "Loss. Shown is y: a falls from 8 to 4; b rises from 1 to 3.",
        Figure.of("Loss")
            .y("y")
            .line("a", 8, 4, Double.NaN)
            .line("b", 1, Double.POSITIVE_INFINITY, 3)
            .caption());
    double[] none = {Double.NaN, Double.NaN};
    assertEquals(
        "EERs. mean has no values.",
        Figure.of("EERs").intervals("mean", 0, NETS, none, none, none).caption());
  }

  @Test
  void theCaptionSaysWhatIsDrawn() {
    Figure figure =
        Figure.of("Loss falls").x("step").y("loss").line("vanilla", 8, 4, 2).level("chance", 3.178);
    assertEquals(
        "Loss falls. Shown is loss against step: vanilla falls from 8 to 2; chance at 3.178.",
        figure.caption());
    assertEquals(
        "Errors. Shown is EER (%): float: ResNet18 1, ResNet34 2.",
        Figure.of("Errors").y("EER (%)").bars("float", NETS, new double[] {1, 2}).caption());
    assertEquals(
        "Memory. Shown is MiB: vanilla: ResNet18 10, ResNet34 1,000.",
        Figure.of("Memory").x("MiB").dots("vanilla", NETS, new double[] {10, 1000}).caption());
    double[] step = {0, 1, 2};
    assertEquals(
        "MiB of a step. Shown is MiB against step: activation highest at 1 with 5;"
            + " gradient always 2; marked: forward, turn.",
        Figure.of("MiB of a step")
            .x("step")
            .y("MiB")
            .line("activation", step, new double[] {1, 5, 2})
            .line("gradient", step, new double[] {2, 2, 2})
            .span("forward", 0, 1)
            .note("turn", 1, 5)
            .caption());
    assertEquals(
        "DET. Shown is misses (%) against false alarms (%), and where both are equal: net 20.0.",
        Figure.det("DET").line("net", new double[] {0.1, 0.3}, new double[] {0.3, 0.1}).caption());
  }

  @Test
  void aGalleryShowsOneFigureAtATime() throws IOException {
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    for (int batch = 1; batch <= 8; batch++) {
      labels.add("" + batch);
      figures.add(Figure.of("").y("MiB").line("vanilla", batch, 2 * batch).size(700, 420));
    }
    Gallery gallery = Gallery.slider("batch", labels, figures);
    JsonNode json = new ObjectMapper().readTree(script(gallery.html("g")));
    assertEquals(8, json.get("frames").size());
    assertEquals("[3,6]", json.at("/frames/2/data/0/y").toString());
    assertTrue(json.at("/frames/2/data/0/x").isMissingNode(), "what never changes is stored once");
    assertEquals("{}", json.at("/frames/2/layout").toString());
    assertEquals("8", json.at("/layout/sliders/0/steps/7/label").asText());
    assertEquals("7", json.at("/layout/sliders/0/steps/7/args/0/0").asText());
    assertEquals("batch: ", json.at("/layout/sliders/0/currentvalue/prefix").asText());
    BufferedImage stills = ImageIO.read(new ByteArrayInputStream(gallery.png()));
    assertEquals(770, stills.getWidth());
    assertEquals(616, stills.getHeight());
    assertTrue(gallery.caption().startsWith("The slider sets batch from 1 to 8. 1 — "));
    assertTrue(gallery.caption().contains(". 8 — "), gallery.caption());
    List<Figure> named = new ArrayList<>();
    for (Figure figure : figures) named.add(figure.title("It has " + figure.series().size()));
    assertTrue(
        Gallery.slider("batch", labels, named)
            .caption()
            .contains(" 3 — It has 1. 5 — It has 1. 8 — It has 1. Shown"));
    assertTrue(Gallery.menu("b", labels, named).caption().contains(" 7 — It has 1. 8 — "));
    JsonNode menu =
        new ObjectMapper().readTree(script(Gallery.menu("b", labels, figures).html("g")));
    assertEquals("animate", menu.at("/layout/updatemenus/0/buttons/1/method").asText());
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> Gallery.menu("way", List.of("a", "b"), List.of(figures.get(0), Figure.of(""))));
    assertEquals("gallery 'way': figure 'b' has the series [], but 'a' has [LINE]", e.getMessage());
  }
}
