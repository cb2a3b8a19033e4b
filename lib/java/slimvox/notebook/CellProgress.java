package slimvox.notebook;

import java.util.concurrent.TimeUnit;
import slimvox.data.FeatureSource;

/** The progress of a long task as a panel in the cell; a task of less than a second has none. */
final class CellProgress implements FeatureSource.Progress {
  private final String task;
  private final long startNs = System.nanoTime();
  private LivePanel panel;
  private boolean closed;

  CellProgress(String task) {
    this.task = task;
  }

  @Override
  public synchronized void at(int done, int total) {
    if (closed) return; // a thread that was overtaken by the last one
    if (panel == null && done < total) {
      if (System.nanoTime() - startNs < TimeUnit.SECONDS.toNanos(1)) return;
      panel = new LivePanel(task, total).countingOthers();
    }
    if (panel != null) panel.step(done);
    if (done >= total) close();
  }

  /** Draws the last state: finished, or stopped. */
  @Override
  public synchronized void close() {
    if (panel != null && !closed) panel.close();
    closed = true;
  }
}
