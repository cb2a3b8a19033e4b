package slimvox.plot;

import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.util.Arrays;
import java.util.List;
import slimvox.storage.Printable;

/**
 * The text of a picture. On a machine without any font, where Java cannot draw text at all,
 * pictures are drawn without it.
 */
final class Lettering {
  /** Which point of a text lies at the given place. */
  enum Anchor {
    START,
    MIDDLE,
    END
  }

  private static final List<String> FAMILIES = List.of("DejaVu Sans", "Verdana", "Arial");
  private static final Font FONT = find();

  private final Graphics2D g;
  private final Font plain;
  private final Font bold;

  Lettering(Graphics2D g, int size) {
    this(g, size, FONT);
  }

  /** For tests: {@code font} null is a machine without fonts. */
  Lettering(Graphics2D g, int size, Font font) {
    this.g = g;
    this.plain = font == null ? null : font.deriveFont((float) size);
    this.bold = font == null ? null : font.deriveFont(Font.BOLD, size * 1.17f);
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
  }

  private static Font find() {
    try {
      List<String> installed =
          Arrays.asList(
              java.awt.GraphicsEnvironment.getLocalGraphicsEnvironment()
                  .getAvailableFontFamilyNames());
      String family =
          FAMILIES.stream().filter(installed::contains).findFirst().orElse(Font.SANS_SERIF);
      Font font = new Font(family, Font.PLAIN, 12);
      font.getStringBounds("x", new java.awt.font.FontRenderContext(null, true, true));
      return font;
    } catch (RuntimeException | Error e) {
      // Without fontconfig or fonts the JDK throws RuntimeException, InternalError or LinkageError
      // from here, depending on what is missing.
      return null;
    }
  }

  int lineHeight() {
    return plain == null ? 12 : metrics().getAscent() + 1;
  }

  /** How far below the middle of its letters the base line of a text lies. */
  int middle() {
    return plain == null ? 4 : Math.round(plain.getSize2D() * 0.36f);
  }

  int width(String text) {
    return plain == null ? 7 * text.length() : metrics().stringWidth(Printable.line(text));
  }

  void title(String text, double x, double y) {
    if (bold == null) return;
    g.setFont(bold);
    g.setColor(Palette.INK);
    g.drawString(Printable.line(text), (float) x, (float) y);
  }

  void text(String text, double x, double y, Anchor anchor, Color color) {
    if (plain == null || text.isEmpty()) return;
    double left =
        switch (anchor) {
          case START -> x;
          case MIDDLE -> x - width(text) / 2.0;
          case END -> x - width(text);
        };
    g.setFont(plain);
    g.setColor(color);
    g.drawString(Printable.line(text), (float) left, (float) y);
  }

  /** Draws a text that reads upwards, its middle at (x, y). */
  void upwards(String text, double x, double y, Color color) {
    turned(text, x, y, -Math.PI / 2, Anchor.MIDDLE, color);
  }

  /** Draws a text that ends at (x, y), turned by {@code angle} radians. */
  void slanted(String text, double x, double y, double angle, Color color) {
    turned(text, x, y, angle, Anchor.END, color);
  }

  private void turned(String text, double x, double y, double angle, Anchor anchor, Color color) {
    AffineTransform upright = g.getTransform();
    g.translate(x, y);
    g.rotate(angle);
    text(text, 0, 0, anchor, color);
    g.setTransform(upright);
  }

  private FontMetrics metrics() {
    return g.getFontMetrics(plain);
  }
}
