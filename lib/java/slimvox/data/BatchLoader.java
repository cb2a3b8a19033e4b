package slimvox.data;

import java.util.ArrayDeque;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Prepares batches in background threads, a bounded number ahead, and hands them out in order.
 *
 * <p>The batches are those of {@link Batches}, whatever the number of threads and their timing. One
 * thread calls {@link #next} and {@link #close}.
 */
public final class BatchLoader implements AutoCloseable {
  private final Batches batches;
  private final ExecutorService pool;
  private final ArrayDeque<Future<Batch>> ahead = new ArrayDeque<>();
  private final ArrayDeque<Batches.Buffers> free = new ArrayDeque<>();
  private final ArrayDeque<Batches.Buffers> inUse = new ArrayDeque<>();
  private long place; // of the next batch to be submitted: epoch x batches per epoch + index
  private boolean handedOut;
  private boolean closed;
  private long waitNanos;

  /**
   * Starts preparing at once.
   *
   * @param epoch of the first batch
   * @param index of the first batch in its epoch
   * @param threads that prepare batches
   * @param queue batches that are ready or being made, at most
   */
  public BatchLoader(Batches batches, int epoch, int index, int threads, int queue) {
    batches.requirePlace(epoch, index);
    if (threads < 1 || queue < 1) {
      throw new IllegalArgumentException(threads + " threads, queue of " + queue);
    }
    this.batches = batches;
    this.place = (long) epoch * batches.batchesPerEpoch() + index;
    this.pool = Executors.newFixedThreadPool(threads, FeatureWork::daemon);
    // One more than are ahead: the batch that the caller works with.
    for (int i = 0; i <= queue; i++) free.add(batches.buffers());
    for (int i = 0; i < queue; i++) submit();
  }

  /** Starts preparing the batches from that of a step on, which has this number from 0. */
  public static BatchLoader at(Batches batches, long step, int threads) {
    int epoch = Math.toIntExact(step / batches.batchesPerEpoch());
    int index = (int) (step % batches.batchesPerEpoch());
    return new BatchLoader(batches, epoch, index, threads, threads + 1);
  }

  private void submit() {
    int epoch = (int) (place / batches.batchesPerEpoch());
    int index = (int) (place % batches.batchesPerEpoch());
    place++;
    Batches.Buffers buffers = free.remove();
    inUse.add(buffers);
    ahead.add(pool.submit(() -> batches.fill(epoch, index, buffers)));
  }

  /**
   * The next batch, after the last of an epoch the first of the next one; there is no end.
   *
   * <p>Its arrays are filled anew after the next call.
   *
   * @throws slimvox.storage.InputException if a recording cannot be used; the message names its
   *     file
   * @throws InterruptedException if the caller is interrupted while it waits
   */
  public Batch next() throws InterruptedException {
    if (closed) throw new IllegalStateException("the loader is closed");
    if (handedOut) {
      free.add(inUse.remove());
      handedOut = false;
    }
    long start = System.nanoTime();
    try {
      Batch batch = ahead.element().get();
      ahead.remove();
      handedOut = true;
      submit();
      return batch;
    } catch (ExecutionException e) {
      close();
      throw FeatureWork.rethrown(e.getCause());
    } catch (CancellationException e) {
      throw new IllegalStateException("the loader was closed by another thread", e);
    } finally {
      waitNanos += System.nanoTime() - start;
    }
  }

  /**
   * The batch that {@link #next} will give, if it is ready; else null.
   *
   * <p>Its arrays keep their contents until the call of {@link #next} after the one that gives it.
   */
  public Batch peek() {
    Future<Batch> first = ahead.peek();
    return first != null && first.state() == Future.State.SUCCESS ? first.resultNow() : null;
  }

  /** Time that {@link #next} has spent waiting for batches, in all, in nanoseconds. */
  public long waitNanos() {
    return waitNanos;
  }

  /** Stops the threads; a batch that is being made is abandoned. Closing twice does no harm. */
  @Override
  public void close() {
    closed = true;
    for (Future<Batch> future : ahead) future.cancel(true);
    pool.shutdownNow();
  }
}
