package slimvox.backend.cuda.kernels;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Kernels that work on many tensors in one launch, {@code Tensors} of lib/cuda/common.cuh: a
 * network has hundreds of parameters, most of them small.
 *
 * <p>Outside {@link #together} each tensor is a launch. Inside, tensors wait for those of the same
 * kernel with the same numbers; as each is on its own, their order changes no bit.
 */
public final class ManyTensors {
  private static final int POINTERS = 6;
  private static final int TENSORS = 64;
  private static final long END = 8L * POINTERS * TENSORS;
  private static final long SIZE = END + 4 * TENSORS;
  private static final long BYTES = SIZE + 4 * TENSORS;

  private record Kernel(String name, int threads, List<Object> numbers) {}

  /** The argument of a launch that waits. */
  private static final class Table {
    final MemorySegment bytes = Arena.ofAuto().allocate(BYTES, 8);
    int count;
    int blocks;

    Table() {
      for (int i = 0; i < TENSORS; i++) bytes.set(JAVA_INT, END + 4L * i, Integer.MAX_VALUE);
    }
  }

  private final Launcher launcher;
  private final OwnMemory own;
  private final Map<Kernel, Table> waiting = new LinkedHashMap<>();
  private boolean together;

  /** Launches through {@code launcher}. */
  public ManyTensors(Launcher launcher, OwnMemory own) {
    this.launcher = launcher;
    this.own = own;
  }

  /** Runs what launches kernels on tensors, which must not depend on each other. */
  public void together(Runnable work) {
    if (together) {
      work.run();
      return;
    }
    together = true;
    try {
      work.run();
      flush();
    } finally {
      together = false;
      waiting.clear();
    }
  }

  /** Launches what waits. */
  void flush() {
    waiting.forEach(this::launch);
    waiting.clear();
  }

  private void launch(Kernel kernel, Table table) {
    Object[] arguments = new Object[1 + kernel.numbers.size()];
    arguments[0] = table.bytes;
    for (int i = 1; i < arguments.length; i++) {
      Object number = kernel.numbers.get(i - 1);
      arguments[i] = number instanceof OwnMemory.Numbers n ? own.place(n) : number;
    }
    launcher.launch(kernel.name, Grid.of(table.blocks, kernel.threads), arguments);
  }

  /**
   * Launches a kernel on a tensor.
   *
   * @param grid blocks along x that the tensor takes
   * @param size its elements
   * @param numbers the kernel's other arguments
   * @param pointers addresses in the kernel's order, at most 6
   */
  void launch(String kernel, Grid grid, long size, List<Object> numbers, long... pointers) {
    Kernel key = new Kernel(kernel, grid.blockX(), numbers);
    Table table = waiting.computeIfAbsent(key, k -> new Table());
    for (int k = 0; k < pointers.length; k++) {
      table.bytes.setAtIndex(JAVA_LONG, (long) k * TENSORS + table.count, pointers[k]);
    }
    table.blocks = Math.addExact(table.blocks, grid.x());
    table.bytes.set(JAVA_INT, END + 4L * table.count, table.blocks);
    table.bytes.set(JAVA_INT, SIZE + 4L * table.count, Math.toIntExact(size));
    table.count++;
    if (together && table.count < TENSORS) return;
    waiting.remove(key);
    launch(key, table);
  }
}
