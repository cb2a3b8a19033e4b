package slimvox.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;
import slimvox.step.StepBuilder;
import slimvox.step.TrainingStep;

/**
 * Whether a training step would need less memory with its operations in another order.
 *
 * <p>A dry step is written down: each operation with the buffers that it reads and writes. Another
 * order is permitted if every operation still reads what it read: no bit of a result changes then.
 * A buffer is alive from the first operation that touches it to the last. Around the moment at
 * which most is alive all permitted orders of {@value #WINDOW} operations are searched; a better
 * one is taken, and the search goes on at the moment at which most is alive then. It gains less
 * than a thousandth, 1 MiB at the most.
 */
class OrderOfOperationsTest {
  private static final int WINDOW = 40;
  private static final int BATCH = 32;

  /** The places of what an operation writes; all other tensors are read. */
  private static final Map<String, Set<Integer>> WRITTEN =
      Map.ofEntries(
          Map.entry("fill", Set.of(0)),
          Map.entry("copy", Set.of(1)),
          Map.entry("convert", Set.of(1)),
          Map.entry("axpy", Set.of(2)),
          Map.entry("addRounded", Set.of(3, 4)),
          Map.entry("matmul", Set.of(3, 5)),
          Map.entry("addToRows", Set.of(1)),
          Map.entry("columnSums", Set.of(1, 3)),
          Map.entry("forward", Set.of(3, 4)),
          Map.entry("forwardAdd", Set.of(3, 4)),
          Map.entry("forwardSubtract", Set.of(3, 4)),
          Map.entry("backwardData", Set.of(3, 4)),
          Map.entry("backwardWeight", Set.of(3, 5)),
          Map.entry("batchStatistics", Set.of(2, 3, 4)),
          Map.entry("updateRunningStatistics", Set.of(3)),
          Map.entry("batchNormalize", Set.of(4)),
          Map.entry("batchNormalizeBackward", Set.of(4, 5, 7, 8, 9)),
          Map.entry("sliceChannels", Set.of(2)),
          Map.entry("writeChannels", Set.of(2)),
          Map.entry("spaceToDepth", Set.of(1)),
          Map.entry("depthToSpace", Set.of(1)),
          Map.entry("framesFirst", Set.of(1)),
          Map.entry("statisticsPooling", Set.of(2)),
          Map.entry("statisticsPoolingBackward", Set.of(3)),
          Map.entry("normalizeRows", Set.of(1, 2)),
          Map.entry("normalizeRowsBackward", Set.of(3)),
          Map.entry("marginLogits", Set.of(3)),
          Map.entry("marginLogitsBackward", Set.of(4)),
          Map.entry("softmaxCrossEntropy", Set.of(2, 3)),
          Map.entry("argmaxRows", Set.of(1)),
          Map.entry("sgdQuantized", Set.of(2, 3, 4)),
          Map.entry("sgd", Set.of(2, 3)));

  private record Op(String name, Set<Long> reads, Set<Long> writes) {
    static Op of(Method method, Object[] arguments) {
      Op op = new Op(method.getName(), new HashSet<>(), new HashSet<>());
      Set<Integer> written = WRITTEN.get(op.name);
      if (written == null) throw new IllegalArgumentException("what does " + op.name + " write?");
      for (int i = 0; i < arguments.length; i++) {
        op.add(arguments[i], written.contains(i) ? op.writes : op.reads);
      }
      return op;
    }

    private void add(Object argument, Set<Long> to) {
      switch (argument) {
        case Tensor t -> to.add(t.id());
        case Quantized q -> {
          add(q.codes(), to);
          add(q.absmax(), to);
        }
        case Channels c -> {
          for (Tensor t : new Tensor[] {c.mean(), c.invStd(), c.gamma(), c.beta()}) add(t, reads);
          if (name.endsWith("Backward")) add(c.running(), writes);
        }
        case Running r -> {
          add(r.mean(), to);
          add(r.variance(), to);
        }
        case null, default -> {}
      }
    }
  }

  /** The operations of one step in their order, and the bytes of what it allocates. */
  private static final class Trace {
    private final List<Op> ops = new ArrayList<>();
    private final Map<Long, Long> bytes = new HashMap<>();
    private long between; // bytes that stay between steps
    private long ledgerPeak;

    static Trace of(ModelSpec model) {
      Trace trace = new Trace();
      Recipe recipe = Recipe.defaults().with("optimizer.state.bits=8");
      boolean[] on = {false};
      Device dry = new DryDevice();
      Device traced = proxy(Device.class, dry, trace.ops, on);
      try (Backend backend = new Backend(traced);
          TrainingStep step =
              StepBuilder.of(recipe, 5994).build(model, UpdateTime.IN_BACKWARD, backend)) {
        MemoryLedger ledger = backend.ledger();
        trace.between = ledger.totalBytes();
        ledger.resetPeak();
        ledger.startTimeline();
        on[0] = true;
        step.run(new float[BATCH * 200 * model.bins()], new int[BATCH], 0.2, 0);
        on[0] = false;
        for (MemoryLedger.Event e : ledger.stopTimeline()) {
          if (e.allocation()) trace.bytes.put(e.id(), e.bytes());
        }
        trace.ledgerPeak = ledger.report().totalPeak();
      }
      return trace;
    }

    /** Kernels of {@code real} that are written down while {@code on}. */
    private static <T> T proxy(Class<T> type, T real, List<Op> ops, boolean[] on) {
      Object proxy =
          Proxy.newProxyInstance(
              type.getClassLoader(),
              new Class<?>[] {type},
              (_, method, arguments) -> {
                Object result = method.invoke(real, arguments);
                if (result instanceof Device.Families families) {
                  return families.wrapped(
                      new Device.Families.Wrapper() {
                        @Override
                        public <K> K wrap(Class<K> family, K own) {
                          return proxy(family, own, ops, on);
                        }
                      });
                }
                if (on[0] && method.getReturnType() == void.class && type != Device.class) {
                  ops.add(Op.of(method, arguments));
                }
                return result;
              });
      return type.cast(proxy);
    }
  }

  /** An order of the operations of a trace, and what is alive in it. */
  private static final class Order {
    private final Trace trace;
    private final List<BitSet> before = new ArrayList<>(); // what has to come before each operation
    private final Map<Long, BitSet> users = new LinkedHashMap<>(); // of each buffer of the step
    private int[] order;

    Order(Trace trace) {
      this.trace = trace;
      Map<Long, Integer> writer = new HashMap<>();
      Map<Long, List<Integer>> readers = new HashMap<>();
      order = new int[trace.ops.size()];
      for (int i = 0; i < order.length; i++) {
        order[i] = i;
        Op op = trace.ops.get(i);
        BitSet earlier = new BitSet();
        for (Set<Long> touched : List.of(op.reads, op.writes)) {
          for (long id : touched) {
            if (writer.containsKey(id)) earlier.set(writer.get(id));
            if (trace.bytes.containsKey(id)) {
              users.computeIfAbsent(id, _ -> new BitSet()).set(i);
            }
          }
        }
        for (long id : op.writes) {
          readers.getOrDefault(id, List.of()).forEach(earlier::set);
          readers.remove(id);
          writer.put(id, i);
        }
        for (long id : op.reads) readers.computeIfAbsent(id, _ -> new ArrayList<>()).add(i);
        earlier.clear(i);
        before.add(earlier);
      }
    }

    /** Bytes alive during each operation. */
    long[] alive() {
      long[] alive = new long[order.length];
      int[] place = new int[order.length];
      for (int i = 0; i < order.length; i++) place[order[i]] = i;
      users.forEach(
          (id, used) -> {
            int first = used.stream().map(i -> place[i]).min().orElseThrow();
            int last = used.stream().map(i -> place[i]).max().orElseThrow();
            for (int i = first; i <= last; i++) alive[i] += trace.bytes.get(id);
          });
      for (int i = 0; i < alive.length; i++) alive[i] += trace.between;
      return alive;
    }

    long peak() {
      long peak = 0;
      for (long bytes : alive()) peak = Math.max(peak, bytes);
      return peak;
    }

    /** Searches at the highest moment until no window of operations has a better order. */
    void improve() {
      while (improveOnce()) {}
    }

    private boolean improveOnce() {
      long[] alive = alive();
      int top = 0;
      for (int i = 0; i < alive.length; i++) if (alive[i] > alive[top]) top = i;
      int from = Math.max(0, top - WINDOW / 2);
      int to = Math.min(alive.length, from + WINDOW);
      int[] better = new Window(this, from, to).search(alive[top]);
      if (better == null) return false;
      System.arraycopy(better, 0, order, from, better.length);
      return true;
    }
  }

  /** The operations of a stretch of an order; sets of them are bits of a long. */
  private static final class Window {
    private record State(long done, long peak, State last, int op) {}

    private final int[] ops;
    private final long[] before;
    private final List<long[]> buffers =
        new ArrayList<>(); // users, bytes, born before, needed after
    private long always;

    Window(Order order, int from, int to) {
      ops = Arrays.copyOfRange(order.order, from, to);
      Map<Integer, Integer> place = new HashMap<>();
      for (int i = 0; i < ops.length; i++) place.put(ops[i], i);
      Map<Integer, Integer> whole = new HashMap<>();
      for (int i = 0; i < order.order.length; i++) whole.put(order.order[i], i);
      before = new long[ops.length];
      for (int i = 0; i < ops.length; i++) {
        long bits = 0;
        for (int b : order.before.get(ops[i]).stream().toArray()) {
          if (place.containsKey(b)) bits |= 1L << place.get(b);
        }
        before[i] = bits;
      }
      always = order.trace.between;
      order.users.forEach(
          (id, used) -> {
            long bytes = order.trace.bytes.get(id);
            long inside = 0;
            boolean earlier = false;
            boolean later = false;
            for (int u : used.stream().toArray()) {
              int at = whole.get(u);
              if (at < from) earlier = true;
              else if (at >= to) later = true;
              else inside |= 1L << place.get(u);
            }
            if (earlier && later) always += bytes;
            else if (inside != 0) {
              buffers.add(new long[] {inside, bytes, earlier ? 1 : 0, later ? 1 : 0});
            }
          });
    }

    /** Bytes alive while operation {@code op} runs after those of {@code done}. */
    private long alive(long done, int op) {
      long now = done | 1L << op;
      long sum = always;
      for (long[] b : buffers) {
        boolean born = b[2] == 1 || (b[0] & now) != 0;
        boolean needed = b[3] == 1 || (b[0] & ~done) != 0;
        if (born && needed) sum += b[1];
      }
      return sum;
    }

    /** The order whose peak is least; null if none is below {@code peak}. */
    int[] search(long peak) {
      long all = ops.length == 64 ? -1 : (1L << ops.length) - 1;
      PriorityQueue<State> queue =
          new PriorityQueue<>(
              Comparator.comparingLong(State::peak).thenComparing(s -> -Long.bitCount(s.done)));
      Set<Long> seen = new HashSet<>();
      queue.add(new State(0, 0, null, -1));
      while (!queue.isEmpty()) {
        State s = queue.remove();
        if (s.peak >= peak) return null;
        if (s.done == all) return path(s);
        if (!seen.add(s.done)) continue;
        if (seen.size() > 2_000_000) throw new IllegalStateException("too many orders");
        for (int op = 0; op < ops.length; op++) {
          if ((s.done >> op & 1) != 0 || (before[op] & ~s.done) != 0) continue;
          long next = Math.max(s.peak, alive(s.done, op));
          if (next < peak) queue.add(new State(s.done | 1L << op, next, s, op));
        }
      }
      return null;
    }

    private int[] path(State s) {
      int[] order = new int[ops.length];
      for (int i = ops.length - 1; i >= 0; i--, s = s.last) order[i] = ops[s.op];
      return order;
    }
  }

  static Collection<ModelSpec> networks() {
    List<ModelSpec> specs = new ArrayList<>();
    for (String name : List.of("ResNet34", "DF-ResNet56", "DF-ResNet233", "ResNet293")) {
      for (String kind : List.of("none", "partial", "full")) {
        specs.add(ModelSpec.of(name, "reversible=" + kind));
      }
    }
    for (String kind : List.of("none", "partial")) {
      specs.add(ModelSpec.of("Gemini-DF-ResNet114", "reversible=" + kind));
    }
    for (String name : List.of("ResNet34", "DF-ResNet56")) {
      specs.add(ModelSpec.of(name, "recompute=checkpoint"));
      specs.add(Models.lean(ModelSpec.of(name, "reversible=partial")));
      specs.add(Models.lean(ModelSpec.of(name, "reversible=full")));
      specs.add(Models.lean(ModelSpec.of(name, "reversible=full", "units=a")));
    }
    return specs;
  }

  @ParameterizedTest
  @MethodSource("networks")
  void noOtherOrderNeedsLess(ModelSpec model) {
    Trace trace = Trace.of(model);
    Order order = new Order(trace);
    long peak = order.peak();
    assertEquals(peak, trace.ledgerPeak, 0.001 * peak, "a buffer is held after its last use");
    order.improve();
    assertEquals(peak, order.peak(), 0.001 * peak, "another order of operations needs less");
  }
}
