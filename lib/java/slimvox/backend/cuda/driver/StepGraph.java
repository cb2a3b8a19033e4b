package slimvox.backend.cuda.driver;

import static jcuda.driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;
import slimvox.backend.DeviceException;
import slimvox.backend.OutOfDeviceMemoryException;

/**
 * A step's calls, kept back until the last is known, and then given to the card in one launch: a
 * CUDA graph, as its driver captures one.
 *
 * <p>A step whose calls are those of the step before, one by one with every argument, is captured,
 * and steps of the same calls repeat it. All others are issued as they are: the first of a shape,
 * and where a block of memory moved. What changes from step to step is no argument but lies in
 * device memory ({@link CardMemory#number}).
 *
 * <p>Where somebody has to know how calls end ({@link #issue}), those so far are issued; of that
 * step there is no graph.
 */
final class StepGraph implements AutoCloseable {
  private static final String GRAPH = "a step's CUDA graph"; // in messages

  private static final CudaContext.Taken NONE = new CudaContext.Taken(0, true);

  private record Call(List<Object> key, Runnable issue) {}

  private final CudaContext context;
  private final List<Call> kept = new ArrayList<>();
  private final Set<Long> numbers = new HashSet<>(); // addresses of those that the step has set
  private boolean keepsBack;
  private boolean whole; // nothing of this step was issued yet
  private boolean captures;
  private List<List<Object>> last = List.of();
  private List<List<Object>> captured = List.of();
  private CUgraphExec graph; // null: none
  private CudaContext.Taken taken = NONE;

  StepGraph(CudaContext context) {
    this.context = context;
  }

  boolean keepsBack() {
    return keepsBack;
  }

  /** Whether the driver notes calls instead of making them. */
  boolean captures() {
    return captures;
  }

  /** What the driver took for the graph, from its own count. */
  CudaContext.Taken taken() {
    return taken;
  }

  /** Whether a number is set for the first time in a step: no call that is kept back reads it. */
  boolean isFirst(long address) {
    return !keepsBack || numbers.add(address);
  }

  /** Makes a call or keeps it back; an array in a key stands for its elements. */
  void queue(Runnable call, Object[] key) {
    if (keepsBack) kept.add(new Call(key(key), call));
    else call.run();
  }

  /** Structs by their bytes, which nobody changes. */
  private static List<Object> key(Object[] parts) {
    return Stream.of(parts)
        .map(
            part ->
                switch (part) {
                  case Object[] more -> key(more);
                  case MemorySegment struct -> struct.asByteBuffer();
                  default -> part;
                })
        .toList();
  }

  /** Issues what is kept back. */
  void issue() {
    if (kept.isEmpty()) return;
    whole = false;
    issueKept();
  }

  private void issueKept() {
    List<Call> calls = List.copyOf(kept);
    kept.clear();
    for (Call call : calls) call.issue().run();
  }

  /** Queues a step. */
  void run(Runnable step) {
    if (keepsBack) throw new IllegalStateException("a step within a step");
    keepsBack = true;
    whole = true;
    try {
      step.run();
      keepsBack = false;
      issueWhole();
    } finally {
      keepsBack = false;
      kept.clear();
      numbers.clear();
    }
  }

  private void issueWhole() {
    List<List<Object>> keys = whole ? kept.stream().map(Call::key).toList() : List.of();
    boolean repeats = !keys.isEmpty() && keys.equals(last);
    last = keys;
    if (repeats && !keys.equals(captured)) {
      capture(keys);
    } else if (repeats) {
      launch();
    } else {
      issueKept();
    }
  }

  private void launch() {
    context.check(JCudaDriver.cuGraphLaunch(graph, context.stream()), "launching " + GRAPH);
    context.launched("of " + GRAPH);
  }

  /** Makes the graph of what is kept back and launches it. */
  private void capture(List<List<Object>> keys) {
    if (graph != null) { // it is given back once it has run, and is not to count below
      context.check(JCudaDriver.cuStreamSynchronize(context.stream()), "waiting for " + GRAPH);
    }
    close();
    CudaContext.Count before = context.count();
    CUgraph calls = new CUgraph();
    CUgraphExec made = new CUgraphExec();
    captures = true;
    try {
      context.check(
          JCudaDriver.cuStreamBeginCapture(context.stream(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
          "cuStreamBeginCapture");
      int status;
      try {
        for (Call call : kept) call.issue().run();
      } finally {
        status = JCudaDriver.cuStreamEndCapture(context.stream(), calls);
      }
      context.check(status, "cuStreamEndCapture");
      context.check(JCudaDriver.cuGraphInstantiate(made, calls, 0), "cuGraphInstantiate");
    } catch (RuntimeException e) {
      captures = false;
      issueKept(); // the step itself is complete
      if (e instanceof OutOfDeviceMemoryException) throw e;
      throw new DeviceException(
          "a step cannot be captured as a CUDA graph (%s); go on without, by run.graph=false"
              .formatted(e.getMessage()),
          e);
    } finally {
      captures = false;
      JCudaDriver.cuGraphDestroy(calls);
    }
    graph = made;
    captured = keys;
    launch();
    taken = context.count().since(before);
  }

  @Override
  public void close() {
    if (graph != null) JCudaDriver.cuGraphExecDestroy(graph); // once it has run, says the driver
    graph = null;
    captured = List.of();
    taken = NONE;
  }
}
