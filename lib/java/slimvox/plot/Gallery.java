package slimvox.plot;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Figures of one kind of which one is seen at a time, chosen by a slider or a menu that works where
 * no program runs: in a stored notebook and in a page. The static picture has up to four of them.
 *
 * <pre>{@code
 * Notebook.show(Gallery.slider("batch", List.of("8", "64"), List.of(eight, sixtyFour)));
 * }</pre>
 *
 * @param what the reader chooses, for example "batch"
 * @param slider whether there is a slider; else a menu
 * @param labels a short text for each figure
 * @param figures all with as many series of the same kinds
 */
public record Gallery(String what, boolean slider, List<String> labels, List<Figure> figures) {
  /** Checks that the figures can follow one another. */
  public Gallery {
    labels = List.copyOf(labels);
    figures = List.copyOf(figures);
    if (figures.isEmpty() || labels.size() != figures.size()) {
      throw new IllegalArgumentException(
          "gallery '%s': %d labels for %d figures".formatted(what, labels.size(), figures.size()));
    }
    for (int i = 1; i < figures.size(); i++) {
      if (!kinds(figures.get(i)).equals(kinds(figures.getFirst()))) {
        throw new IllegalArgumentException(
            "gallery '%s': figure '%s' has the series %s, but '%s' has %s"
                .formatted(
                    what,
                    labels.get(i),
                    kinds(figures.get(i)),
                    labels.getFirst(),
                    kinds(figures.getFirst())));
      }
    }
  }

  private static List<Series.Kind> kinds(Figure figure) {
    return figure.series().stream().map(Series::kind).toList();
  }

  /** One figure and nothing to choose. */
  public static Gallery of(Figure figure) {
    return new Gallery("", false, List.of(""), List.of(figure));
  }

  /** A slider under the figure. */
  public static Gallery slider(String what, List<String> labels, List<Figure> figures) {
    return new Gallery(what, true, labels, figures);
  }

  /** A menu above the figure. */
  public static Gallery menu(String what, List<String> labels, List<Figure> figures) {
    return new Gallery(what, false, labels, figures);
  }

  /** The numbers of the figures that the static picture has: at most four, the ends among them. */
  private List<Integer> stills() {
    int most = Math.min(4, figures.size());
    return IntStream.range(0, most)
        .mapToObj(i -> most == 1 ? 0 : i * (figures.size() - 1) / (most - 1))
        .distinct()
        .toList();
  }

  /**
   * The sentences of the first and the last figure, and between them the titles of the others: of
   * all of a menu, of a slider's those that the static picture has.
   */
  public String caption() {
    if (figures.size() == 1) return figures.getFirst().caption();
    String first = labels.getFirst();
    String last = labels.getLast();
    String head =
        slider
            ? "The slider sets %s from %s to %s.".formatted(what, first, last)
            : "The menu chooses the %s: %s.".formatted(what, String.join(", ", labels));
    List<Integer> told = slider ? stills() : IntStream.range(0, figures.size()).boxed().toList();
    StringBuilder text = new StringBuilder(head);
    for (int i : told) {
      boolean end = i == 0 || i == figures.size() - 1;
      Figure figure = figures.get(i);
      if (!end && figure.title().isBlank()) continue;
      text.append(' ').append(labelled(i, end ? figure.caption() : figure.title()));
      if (!end) text.append('.');
    }
    return text.toString();
  }

  /** A text about a figure, with the figure's label in front where it does not say it. */
  private String labelled(int i, String text) {
    String label = labels.get(i);
    boolean says = text.startsWith(label) || text.contains(what + " " + label);
    return says ? text : label + " — " + text;
  }

  /** The title of a still picture: the figure's own, with what was chosen. */
  private String stillTitle(int i) {
    String title = figures.get(i).title();
    if (title.isBlank()) return what + " " + labels.get(i);
    return labelled(i, title).equals(title) ? title : what + " " + labelled(i, title);
  }

  /**
   * The static picture: the only figure, or some of them, two in a row; one where names at the left
   * need the room.
   */
  public byte[] png() {
    Figure first = figures.getFirst();
    if (figures.size() == 1) return first.png();
    boolean wide = Stream.of(first.y().tickLabels()).anyMatch(name -> name.length() > 12);
    int columns = wide ? 1 : 2;
    int width = wide ? first.width() * 3 / 4 : first.width() / 2;
    List<Figure> stills =
        stills().stream()
            .map(i -> figures.get(i).title(stillTitle(i)))
            .map(figure -> figure.size(width, first.height() * 2 / 3))
            .toList();
    return Picture.pngOf(stills, columns);
  }

  /** The figures as a piece of HTML; see {@link Figure#html}. */
  public String html(String id) {
    return PlotlyPage.html(this, id);
  }
}
