package slimvox.data;

import java.util.List;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import slimvox.storage.InputException;

/** Runs independent pieces of work on some threads until all are done or one fails. */
final class FeatureWork {
  private FeatureWork() {}

  /**
   * Runs all pieces.
   *
   * @throws InputException of the first piece that failed so; the others are stopped
   * @throws InterruptedException if the caller is interrupted; all pieces are stopped
   */
  static void run(List<Runnable> pieces, int threads) throws InterruptedException {
    if (threads < 1) throw new InputException(threads + " threads: at least one is needed");
    ExecutorService pool = Executors.newFixedThreadPool(threads, FeatureWork::daemon);
    try {
      CompletionService<Void> finished = new ExecutorCompletionService<>(pool);
      for (Runnable piece : pieces) finished.submit(piece, null);
      for (int i = 0; i < pieces.size(); i++) finished.take().get();
    } catch (ExecutionException e) {
      throw rethrown(e.getCause());
    } finally {
      pool.shutdownNow();
    }
  }

  /** A daemon thread, which never keeps the process alive. */
  static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "slimvox-data");
    thread.setDaemon(true);
    return thread;
  }

  /** The failure of another thread, to be thrown in this one, with the other one's as its cause. */
  static RuntimeException rethrown(Throwable cause) {
    if (cause instanceof InputException) return new InputException(cause.getMessage(), cause);
    return new IllegalStateException("while features were prepared: " + cause, cause);
  }
}
