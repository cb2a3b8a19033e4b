package slimvox.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets Ctrl-C (and a polite kill) end a run in good order: the JVM's shutdown waits until the run
 * has been interrupted, has saved a checkpoint, and this is closed.
 */
public final class CtrlC implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 120;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  /**
   * Interrupts the calling thread when the JVM is told to stop, until closed.
   *
   * @param say called first, on another thread
   */
  public CtrlC(Runnable say) {
    Thread work = Thread.currentThread();
    hook =
        new Thread(
            () -> {
              if (ended.getCount() == 0) return;
              say.run();
              work.interrupt();
              try {
                ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "slimvox-ctrl-c");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Lets the JVM stop. */
  @Override
  public void close() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is stopping: the hook is running, and has just been let go.
    }
  }
}
