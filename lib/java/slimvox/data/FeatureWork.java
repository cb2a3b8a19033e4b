package slimvox.data;

import java.util.List;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import slimvox.storage.InputException;

/** Runs independent pieces of work on some threads until all are done or one fails. */
final class FeatureWork {
  private static final int PATIENCE_SECONDS = 60; // for a recording and the file it belongs to

  private FeatureWork() {}

  /**
   * Works on each item.
   *
   * <p>It waits up to a minute for pieces that still run, not at all if interrupted again, so that
   * few are cut off by the end of the process.
   *
   * @param size of an item, in the units of the progress, which is told after each and closed
   * @throws InputException of the first piece that failed so; the others are stopped
   * @throws InterruptedException if the caller is interrupted; all pieces are stopped
   */
  static <T> void forEach(
      List<T> items,
      ToIntFunction<T> size,
      int threads,
      FeatureSource.Progress progress,
      Consumer<T> work)
      throws InterruptedException {
    if (threads < 1) throw InputException.of("%s threads: at least one is needed", threads);
    int total = items.stream().mapToInt(size).sum();
    AtomicInteger done = new AtomicInteger();
    ExecutorService pool = Executors.newFixedThreadPool(threads, FeatureWork::daemon);
    try {
      CompletionService<Void> finished = new ExecutorCompletionService<>(pool);
      for (T item : items) {
        Runnable piece =
            () -> {
              work.accept(item);
              progress.at(done.addAndGet(size.applyAsInt(item)), total);
            };
        finished.submit(piece, null);
      }
      for (int i = 0; i < items.size(); i++) finished.take().get();
    } catch (ExecutionException e) {
      throw rethrown(e.getCause());
    } finally {
      pool.shutdownNow();
      awaitEnd(pool);
      progress.close();
    }
  }

  private static void awaitEnd(ExecutorService pool) {
    boolean interrupted = Thread.interrupted();
    try {
      pool.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      interrupted = true; // asked a second time: at once
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  /** Takes no bad recording. */
  static void refuse(RecordingException bad) {
    throw bad;
  }

  /** A daemon thread, which never keeps the process alive. */
  static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "slimvox-data");
    thread.setDaemon(true);
    return thread;
  }

  /** The failure of another thread, to be thrown in this one, with the other one's as its cause. */
  static RuntimeException rethrown(Throwable cause) {
    if (cause instanceof RecordingException e) {
      return new RecordingException(e.utterance(), e.getMessage(), e);
    }
    if (cause instanceof InputException) return new InputException(cause.getMessage(), cause);
    if (cause instanceof OutOfMemoryError e) {
      return InputException.of(
              "features do not fit the Java heap of %d MiB (%s); give more (SLIMVOX_XMX=8g), use"
                  + " fewer threads, or keep them in a cache folder",
              Runtime.getRuntime().maxMemory() >> 20, e.getMessage())
          .because(cause);
    }
    return new IllegalStateException("while features were prepared: " + cause, cause);
  }
}
