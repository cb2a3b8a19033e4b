package slimvox.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import slimvox.plot.Figure;
import slimvox.report.Rows;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.verify.DetectionCurve;
import slimvox.verify.DetectionCurve.DetPoint;

/** Writes a DET curve as a picture or as a table; which, the file's ending says. */
final class DetFile {
  private static final int MOST_POINTS = 1000;

  private DetFile() {}

  /** Refuses other endings, before any work is done. */
  static void requireKnown(Path file) {
    if (ending(file).equals("png") || ending(file).equals("csv")) return;
    throw new InputException(
        file + ": a DET curve is written as .png (picture) or .csv (table); change the ending");
  }

  static void write(Path file, String name, DetectionCurve curve) {
    List<DetPoint> points = curve.detPoints(MOST_POINTS);
    if (ending(file).equals("png")) {
      double[] falseAlarms = points.stream().mapToDouble(DetPoint::falseAlarmRate).toArray();
      double[] misses = points.stream().mapToDouble(DetPoint::missRate).toArray();
      byte[] png = Figure.det("DET").line(name, falseAlarms, misses).png(2);
      AtomicFile.write(file, png.length, out -> out.write(png));
    } else {
      Rows<DetPoint> table =
          Rows.of(points)
              .column("false_alarm_rate", DetPoint::falseAlarmRate)
              .column("miss_rate", DetPoint::missRate);
      AtomicFile.write(file, table.csv());
    }
  }

  private static String ending(Path file) {
    String name = file.getFileName().toString();
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }
}
