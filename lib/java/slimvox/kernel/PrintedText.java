package slimvox.kernel;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * What a cell prints, sent in parts: at most {@value #MOST_BYTES} bytes every {@value #PAUSE_MS}
 * ms, which is below the 1,000 messages and 1,000,000 bytes a second that a Jupyter server lets
 * pass. Who prints faster waits.
 */
public final class PrintedText {
  private static final int MOST_BYTES = 64 * 1024;
  private static final int PAUSE_MS = 100;
  private static final ScheduledThreadPoolExecutor TIMER =
      new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("printed").factory());

  private final ByteArrayOutputStream text = new ByteArrayOutputStream();
  private Consumer<String> reader;
  private long sentNs = System.nanoTime() - TimeUnit.MILLISECONDS.toNanos(PAUSE_MS);

  /** A stream whose text goes to {@code reader}, in one order with that of the other streams. */
  public PrintStream stream(Consumer<String> reader) {
    OutputStream bytes =
        new OutputStream() {
          @Override
          public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
          }

          @Override
          public void write(byte[] bytes, int from, int length) {
            if (!CellThread.isStopped()) print(reader, bytes, from, length);
          }
        };
    return new PrintStream(bytes, false, StandardCharsets.UTF_8);
  }

  private synchronized void print(Consumer<String> reader, byte[] bytes, int from, int length) {
    if (reader != this.reader) flush();
    this.reader = reader;
    if (text.size() == 0) TIMER.schedule(this::flush, PAUSE_MS, TimeUnit.MILLISECONDS);
    text.write(bytes, from, length);
    if (text.size() >= MOST_BYTES) {
      long waitNs = TimeUnit.MILLISECONDS.toNanos(PAUSE_MS) - (System.nanoTime() - sentNs);
      if (waitNs > 0) pause(waitNs);
      flush();
    }
  }

  private static void pause(long ns) {
    try {
      TimeUnit.NANOSECONDS.sleep(ns);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Sends what was printed. */
  public synchronized void flush() {
    if (text.size() == 0) return;
    reader.accept(text.toString(StandardCharsets.UTF_8));
    text.reset();
    sentNs = System.nanoTime();
  }
}
