package slimvox.kernel;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * What a cell prints, sent in parts: at most {@value #MOST_BYTES} bytes in {@value #MOST_PARTS}
 * messages every {@value #PAUSE_MS} ms, which is below the 1,000 messages and 1,000,000 bytes a
 * second that a Jupyter server lets pass. Who prints faster waits.
 */
public final class PrintedText {
  private static final int MOST_BYTES = 64 * 1024;
  private static final int MOST_PARTS = 40;
  private static final int PAUSE_MS = 100;
  private static final ScheduledThreadPoolExecutor TIMER =
      new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("printed").factory());

  /** What was printed to one stream until another was used. */
  private record Part(Consumer<String> reader, ByteArrayOutputStream text) {}

  private final Deque<Part> parts = new ArrayDeque<>();
  private int bytes;
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
    if (parts.isEmpty()) TIMER.schedule(this::flush, PAUSE_MS, TimeUnit.MILLISECONDS);
    if (parts.isEmpty() || parts.getLast().reader != reader) {
      if (parts.size() == MOST_PARTS) flushInTime();
      parts.add(new Part(reader, new ByteArrayOutputStream()));
    }
    parts.getLast().text.write(bytes, from, length);
    this.bytes += length;
    if (this.bytes >= MOST_BYTES) flushInTime();
  }

  private void flushInTime() {
    long waitNs = TimeUnit.MILLISECONDS.toNanos(PAUSE_MS) - (System.nanoTime() - sentNs);
    if (waitNs > 0) pause(waitNs);
    flush();
  }

  private static void pause(long ns) {
    try {
      TimeUnit.NANOSECONDS.sleep(ns);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Sends what was printed. A thread that is asked to end cannot send, so that it is asked later.
   */
  public synchronized void flush() {
    if (parts.isEmpty()) return;
    boolean stopped = Thread.interrupted();
    try {
      for (Part part : parts) part.reader.accept(part.text.toString(StandardCharsets.UTF_8));
    } catch (RuntimeException e) {
      if (!e.getClass().getSimpleName().equals("ZMQException")) throw e;
      stopped = true; // asked meanwhile; the rest of the text is lost
    } finally {
      parts.clear();
      bytes = 0;
      sentNs = System.nanoTime();
      if (stopped) Thread.currentThread().interrupt();
    }
  }
}
