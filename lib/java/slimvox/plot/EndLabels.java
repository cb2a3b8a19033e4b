package slimvox.plot;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Where the names of series stand beside their last points: one above another, all within the plot.
 */
final class EndLabels {
  private EndLabels() {}

  /** The name of a series, by its number, and its place on the vertical axis. */
  record Label(int series, double place) {}

  /** A label for each series whose last value has a place. */
  static List<Label> of(Figure figure) {
    PlacedAxis axis = new PlacedAxis(figure.y(), null);
    new Picture(figure).fit(new PlacedAxis(figure.x(), null), axis);
    double apart = 16 * (axis.getUpperBound() - axis.getLowerBound()) / (figure.height() - 110);
    List<Label> labels = new ArrayList<>();
    for (int i = 0; i < figure.series().size(); i++) {
      double[] y = figure.series().get(i).y();
      double last = y.length == 0 ? Double.NaN : figure.y().place(y[y.length - 1]);
      if (Double.isFinite(last)) labels.add(new Label(i, last));
    }
    labels.sort(Comparator.comparingDouble(Label::place));
    for (int i = 1; i < labels.size(); i++) {
      double lowest = labels.get(i - 1).place() + apart;
      if (labels.get(i).place() < lowest) labels.set(i, new Label(labels.get(i).series(), lowest));
    }
    double highest = axis.getUpperBound() - apart / 2;
    for (int i = labels.size() - 1; i >= 0; i--) {
      if (labels.get(i).place() > highest)
        labels.set(i, new Label(labels.get(i).series(), highest));
      highest = labels.get(i).place() - apart;
    }
    return labels;
  }
}
