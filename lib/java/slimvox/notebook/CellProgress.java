package slimvox.notebook;

import java.util.concurrent.TimeUnit;
import slimvox.data.FeatureSource;

/** The progress of a long task as a panel in the cell; a task of less than a second has none. */
final class CellProgress implements FeatureSource.Progress {
  private final String task;
  private final long startNs = System.nanoTime();
  private LivePanel panel;

  CellProgress(String task) {
    this.task = task;
  }

  @Override
  public synchronized void at(int done, int total) {
    if (panel == null) {
      if (done >= total || System.nanoTime() - startNs < TimeUnit.SECONDS.toNanos(1)) return;
      panel = new LivePanel(task, total).countingOthers();
    }
    panel.step(done);
    if (done >= total) panel.close();
  }
}
