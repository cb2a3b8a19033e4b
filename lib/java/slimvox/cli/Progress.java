package slimvox.cli;

import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import slimvox.data.FeatureSource;

/**
 * Shows how far a long task is: a bar on a terminal, else a line every few seconds.
 *
 * <p>May be told from any thread.
 */
public final class Progress implements FeatureSource.Progress, AutoCloseable {
  private static final long LINE_NANOS = 5_000_000_000L;

  /** The letters of a task, its numbers and times, and a bar that can still be seen. */
  private static final int BAR = 64;

  private final Subcommand command;
  private final String task;
  private final ProgressBar bar; // null where there is no terminal
  private final int room; // for details beside it, in letters
  private long lastLine = System.nanoTime();
  private boolean complete;
  private boolean closed;

  private Progress(Subcommand command, String task, ProgressBar bar, int room) {
    this.command = command;
    this.task = task;
    this.bar = bar;
    this.room = room;
  }

  /**
   * Starts to show a task.
   *
   * @param unit of what is counted, for example {@code " steps"}
   * @param first where the count starts
   * @param total where it ends; 0 if not known yet
   */
  public static Progress of(Subcommand command, String task, String unit, long first, long total) {
    boolean terminal = !command.quiet && System.console() != null && System.console().isTerminal();
    if (!terminal) return new Progress(command, task, null, 0);
    ConsoleProgressBarConsumer line = new ConsoleProgressBarConsumer(System.err);
    ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName(task)
            .setInitialMax(total)
            .startsFrom(first, java.time.Duration.ZERO)
            .setUnit(unit, 1)
            .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
            .setUpdateIntervalMillis(250)
            .setConsumer(line)
            .build();
    return new Progress(command, task, bar, line.getMaxRenderedLength() - BAR);
  }

  @Override
  public void at(int done, int total) {
    at(done, total, "");
  }

  /** {@code done} of {@code total}; the details are shown behind. */
  public synchronized void at(long done, long total, String details) {
    if (bar != null) {
      bar.maxHint(total);
      bar.stepTo(done);
      bar.setExtraMessage(" " + fitting(details, room));
      return;
    }
    long now = System.nanoTime();
    if (complete || (now - lastLine < LINE_NANOS && done < total)) return;
    complete = done >= total;
    lastLine = now;
    command.note(String.format(Locale.ROOT, "%s %,d/%,d  %s", task, done, total, details).strip());
  }

  /** As many of the details, which commas part, as there is room for. */
  static String fitting(String details, int letters) {
    String fitting = details;
    while (!fitting.isEmpty() && fitting.length() > letters) {
      fitting = fitting.substring(0, Math.max(0, fitting.lastIndexOf(", ")));
    }
    return fitting;
  }

  /** Prints a line above the bar. */
  public synchronized void note(String text) {
    if (bar != null) {
      System.err.print("\r\u001b[K"); // the bar is drawn again below
      System.err.flush();
    }
    command.note(text);
  }

  /** Leaves the bar as it is; the second time it does nothing. */
  @Override
  public synchronized void close() {
    if (bar != null && !closed) bar.close();
    closed = true;
  }
}
