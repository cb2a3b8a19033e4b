package slimvox.backend;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;

/**
 * Where tensors live and operations run: a {@link Device} with a {@link MemoryLedger}.
 *
 * <p>This class accounts for every buffer and hands out memory in one of two ways. Outside a step
 * each buffer is a block of its own. Inside {@link #step(ArenaPlan, Supplier)} every buffer gets
 * the place that the plan gave it, in one block that stays allocated between steps: nothing is
 * allocated or freed by the system while training, and the bytes in use are the bytes predicted.
 *
 * <p>Not thread-safe: one thread trains.
 */
public final class Backend implements AutoCloseable {
  private static final String GRAPH = "a step's CUDA graph (run.graph)";

  private final Device device;
  private final MemoryLedger ledger;
  private final String remark;
  private final Map<Long, Long> blocks = new HashMap<>(); // of buffers outside plans, by id
  private long block;
  private long blockBytes;
  private ArenaPlan plan;
  private int next;
  private long graph; // its id in the ledger
  private long graphBytes; // 0: none
  private final Operations operations;

  /** A backend without memory limit. */
  public Backend(Device device) {
    this(device, new MemoryLedger());
  }

  /** A backend that accounts to {@code ledger}. */
  public Backend(Device device, MemoryLedger ledger) {
    this(device, ledger, null);
  }

  /** A backend with a remark about its choice, or null. */
  Backend(Device device, MemoryLedger ledger, String remark) {
    this.device = device;
    this.ledger = ledger;
    this.remark = remark;
    this.operations = new Operations(this);
    if (device.ownBytes() > 0) {
      ledger.allocated(Category.WORKSPACE, "device's own", device.ownBytes());
    }
  }

  /** {@code cpu}, {@code cuda} or {@code dry}. */
  public String name() {
    return device.name();
  }

  /** Where it computes. */
  public Device device() {
    return device;
  }

  /** The device in one line and, where a faster one was asked for, why it is not used. */
  public String description() {
    return remark == null ? device.description() : device.description() + "; " + remark;
  }

  /** Every byte that it holds. */
  public MemoryLedger ledger() {
    return ledger;
  }

  /** The primitive operations, with their arguments checked and their workspaces accounted for. */
  public Operations ops() {
    return operations;
  }

  // ---- memory

  /** A float32 tensor, contents undefined; the caller owns it. */
  public Tensor allocate(Category category, String label, int... lengths) {
    return allocate(category, label, DataType.FLOAT32, Shape.of(lengths));
  }

  /** A tensor, contents undefined; the caller owns it. */
  public Tensor allocate(Category category, String label, DataType type, Shape shape) {
    return allocate(category, label, type, null, shape);
  }

  /**
   * A tensor of numbers on a grid, which may be null; contents undefined, the caller owns it.
   *
   * @throws IllegalArgumentException if the device has no kernels for the type
   */
  public Tensor allocate(
      Category category, String label, DataType type, Tensor.Grid grid, Shape shape) {
    if (!device.takes(type)) {
      throw new IllegalArgumentException(label + ": no " + type + " on " + device.name());
    }
    long bytes = shape.size() * type.bytes();
    long id = ledger.allocated(category, label, bytes);
    long address;
    try {
      address = plan == null ? own(id, bytes) : planned(category, label, bytes);
    } catch (RuntimeException | Error e) {
      ledger.freed(id);
      throw e;
    }
    return new Tensor(this, shape, type, grid, category, label, address, id, null);
  }

  /** A tensor shaped like {@code x}, of the type of what is computed from it. */
  public Tensor allocateLike(Tensor x, Category category, String label) {
    return allocate(category, label, x.computed(), x.shape());
  }

  private long own(long id, long bytes) {
    long address = block(bytes, blockBytes);
    blocks.put(id, address);
    return address;
  }

  /** Memory of the device; if that has not enough, its message gets the ledger. */
  private long block(long bytes, long plannedBytes) {
    try {
      return device.memory().allocate(bytes);
    } catch (OutOfDeviceMemoryException e) {
      throw e.with(ledger.report(), plannedBytes);
    }
  }

  private long planned(Category category, String label, long bytes) {
    if (next >= plan.slots().size()) {
      throw new IllegalStateException(label + " is not in the plan of this step");
    }
    ArenaPlan.Slot slot = plan.slots().get(next++);
    if (slot.bytes() != bytes || slot.category() != category || !slot.label().equals(label)) {
      throw new IllegalStateException(
          "the step left its plan: %s %s of %d bytes where %s %s of %d bytes was planned"
              .formatted(
                  category.key(), label, bytes, slot.category().key(), slot.label(), slot.bytes()));
    }
    return block + slot.offset();
  }

  void release(Tensor tensor) {
    ledger.freed(tensor.id());
    returnBlock(tensor.id());
  }

  /** Gives back the block of a buffer that has one of its own. */
  private void returnBlock(long id) {
    Long address = blocks.remove(id);
    if (address != null) device.memory().free(address);
  }

  /**
   * Runs one step in planned memory.
   *
   * <p>Everything that {@code step} allocates it must also release, in the order of the plan.
   *
   * @param plan made from the timeline of the same step on the dry device
   * @return what {@code step} returns
   * @throws IllegalStateException if the step allocates something else than planned
   * @throws slimvox.memory.OutOfBudgetException if the block does not fit, or if what the driver
   *     then has for the step's graph, which is known afterwards, does not fit beside it
   */
  public <T> T step(ArenaPlan plan, Supplier<T> step) {
    if (this.plan != null) throw new IllegalStateException("a step is already running");
    reserve(plan.bytes());
    this.plan = plan;
    next = 0;
    long mark = ledger.mark();
    T result;
    try {
      result = step.get();
      ledger.checkNoneSince(mark);
    } catch (OutOfDeviceMemoryException e) { // of an operation; a block's has the ledger already
      throw e.with(ledger.report(), blockBytes);
    } finally {
      // After an exception or an interrupt the layers' kept tensors are still entered.
      ledger.freeSince(mark).forEach(this::returnBlock);
      this.plan = null;
      enterGraph();
    }
    requireRoomForGraph();
    return result;
  }

  /**
   * Runs the work of a planned step as one, see {@link Hardware#asOne}.
   *
   * @throws IllegalStateException outside {@link #step}: a graph repeats the addresses of a plan
   */
  public void asOne(Runnable work) {
    if (plan == null) throw new IllegalStateException("only a planned step can run as one");
    device.asOne(work);
  }

  /** Keeps in the ledger what the driver has for a step's graph, as long as it has it. */
  private void enterGraph() {
    long bytes = device.graphBytes();
    if (bytes == graphBytes) return;
    if (graphBytes > 0) ledger.freed(graph);
    if (bytes > 0) graph = ledger.held(Category.WORKSPACE, GRAPH, bytes);
    graphBytes = bytes;
  }

  private void requireRoomForGraph() {
    long all = ledger.totalBytes() + blockBytes;
    if (graphBytes == 0 || all <= ledger.budget().bytes()) return;
    throw new OutOfBudgetException(
        "out of the memory budget of %s: %s takes %d bytes, with all else %d; set run.graph=false"
                .formatted(ledger.budget(), GRAPH, graphBytes, all)
            + " or give a larger run.memoryBudget",
        Category.WORKSPACE);
  }

  /**
   * Builds something that owns tensors, such as a network; if that fails, the tensors allocated
   * until then are released, which nobody owns: a smaller one may fit in their place.
   *
   * @return what {@code build} returns
   */
  public <T> T owning(Supplier<T> build) {
    long mark = ledger.mark();
    try {
      return build.get();
    } catch (RuntimeException | Error e) {
      ledger.freeSince(mark).forEach(this::returnBlock);
      throw e;
    }
  }

  /**
   * Begins the plan of the running step, if there is one, again: a part of the step can be repeated
   * in its memory, such as the search for a layer that gave NaN. What the step holds is let go
   * before.
   */
  public void restart() {
    next = 0;
  }

  /** Makes the block for planned steps at least this large; done by {@link #step} when needed. */
  public void reserve(long bytes) {
    if (bytes <= blockBytes) return;
    // Outside a step the ledger holds what stays; with the block that is all there will be.
    ledger.requireRoom(Category.ACTIVATION, "block of the planned step", bytes);
    releaseBlock();
    block = block(bytes, bytes);
    blockBytes = bytes;
  }

  /** Returns the block of planned steps; the next step reserves it again. */
  public void releaseBlock() {
    if (plan != null) throw new IllegalStateException("a step is running");
    if (blockBytes > 0) device.memory().free(block);
    blockBytes = 0;
  }

  /** Size of the block that planned steps share; 0 before the first. */
  public long blockBytes() {
    return blockBytes;
  }

  /** Returns the block of planned steps; tensors outside it are their owners' business. */
  @Override
  public void close() {
    releaseBlock();
    device.close();
    if (graphBytes > 0) ledger.freed(graph);
    graphBytes = 0;
  }

  /** What computes, in one line. */
  @Override
  public String toString() {
    return description();
  }
}
