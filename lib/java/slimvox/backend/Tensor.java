package slimvox.backend;

import slimvox.memory.Category;

/**
 * A buffer with a shape, a {@link Category} and a label, owned by a {@link Backend}.
 *
 * <p>Tensors are counted: {@link #retain()} adds an owner, {@link #close()} removes one, and the
 * last one to leave returns the bytes. The conventions of the library:
 *
 * <ul>
 *   <li>who allocates a tensor owns it and closes it, or hands it on by returning it;
 *   <li>{@code forward(x)} borrows {@code x} and returns a tensor that the caller owns; a layer
 *       that needs {@code x} again in backward retains it;
 *   <li>{@code backward(dy)} takes {@code dy} over (it may be overwritten) and returns a tensor
 *       that the caller owns.
 * </ul>
 *
 * <p>So a buffer is freed at the same moment as in PyTorch's autograd: when its last user is done.
 */
public final class Tensor implements AutoCloseable {
  private final Backend backend;
  private final Shape shape;
  private final DataType type;
  private final Grid grid;
  private final Category category;
  private final String label;
  private final long address;
  private final long id;
  private final Tensor base;
  private int owners = 1;

  Tensor(
      Backend backend,
      Shape shape,
      DataType type,
      Grid grid,
      Category category,
      String label,
      long address,
      long id,
      Tensor base) {
    this.backend = backend;
    this.shape = shape;
    this.type = type;
    this.grid = grid;
    this.category = category;
    this.label = label;
    this.address = address;
    this.id = id;
    this.base = base;
  }

  /** Whose memory it is in. */
  public Backend backend() {
    return backend;
  }

  /** Lengths of the axes. */
  public Shape shape() {
    return shape;
  }

  /** Type of the elements. */
  public DataType type() {
    return type;
  }

  /** What its elements are multiples of; null if it is no stream of another type. */
  public Grid grid() {
    return grid;
  }

  /** The type of what is computed from it: its own, or what its {@link Grid} says. */
  public DataType computed() {
    return grid == null ? type : grid.computed();
  }

  /** What the ledger counts it as. */
  public Category category() {
    return category;
  }

  /** What the buffer is, for example {@code layer3.2.conv1.out}. */
  public String label() {
    return label;
  }

  /** Number of elements. */
  public long size() {
    return shape.size();
  }

  /** Number of bytes. */
  public long bytes() {
    return shape.size() * type.bytes();
  }

  /** Where the first element is in the device's memory; 0 on the dry device. */
  public long address() {
    if (owners <= 0) throw new IllegalStateException(label + " is used after it was released");
    return address;
  }

  long id() {
    return id;
  }

  /** Adds an owner and returns this tensor. */
  public Tensor retain() {
    if (owners <= 0) throw new IllegalStateException(label + " is used after it was released");
    owners++;
    return this;
  }

  /** True if nobody else owns the buffer, so that it may be overwritten. */
  public boolean isSoleOwner() {
    return owners == 1 && (base == null || base.isSoleOwner());
  }

  /** A tensor that may be overwritten in place of this one: itself, or a copy if it is shared. */
  public Tensor exclusive() {
    if (isSoleOwner()) return this;
    try (this) {
      Tensor copy = backend.allocate(category, label, type, grid, shape);
      backend.ops().elementwise.copy(this, copy);
      return copy;
    }
  }

  /**
   * The same buffer under another shape. The view is one more owner of the buffer.
   *
   * @throws IllegalArgumentException if the number of elements differs
   */
  public Tensor view(int... lengths) {
    Shape other = Shape.of(lengths);
    if (other.size() != size()) {
      throw new IllegalArgumentException(label + " " + shape + " cannot be seen as " + other);
    }
    return new Tensor(backend, other, type, grid, category, label, address(), id, retain());
  }

  /**
   * Elements {@code first} and following of the same buffer, in memory order, under a shape of
   * their own. The part is one more owner of the buffer.
   *
   * @throws IllegalArgumentException if the buffer has fewer elements
   */
  public Tensor part(long first, int... lengths) {
    Shape other = Shape.of(lengths);
    if (first < 0 || first + other.size() > size()) {
      throw new IllegalArgumentException(
          label + " " + shape + " has no part " + other + " from element " + first + " on");
    }
    long start = address() == 0 ? 0 : address() + first * type.bytes(); // 0: on the dry device
    return new Tensor(backend, other, type, grid, category, label, start, id, retain());
  }

  /** Removes an owner; the last one returns the bytes. */
  @Override
  public void close() {
    if (owners <= 0) throw new IllegalStateException(label + " was released twice");
    if (--owners > 0) return;
    if (base != null) {
      base.close();
    } else {
      backend.release(this);
    }
  }

  /**
   * What the numbers of a reversible stream are multiples of, and the type of what is computed from
   * it: a stream may be held more exactly, or in fewer bytes, than what a layer makes of it.
   */
  public static final class Grid {
    private final DataType computed;
    private float step = 1;
    private float largest;

    /** A grid of step 1. */
    public Grid(DataType computed) {
      this.computed = computed;
    }

    /** A grid of the same step for another type of what is computed. */
    public Grid computing(DataType type) {
      Grid grid = new Grid(type);
      grid.step = step;
      return grid;
    }

    /** The type of tensors that are like one of this grid. */
    public DataType computed() {
      return computed;
    }

    /**
     * The distance of two numbers, a power of two; for {@link DataType#isFixed fixed} types only.
     */
    public float step() {
      return step;
    }

    /** Another step: only while no tensor of this grid holds anything. */
    public void setStep(float step) {
      this.step = step;
    }

    /**
     * The largest magnitude that a sum had since {@link #forgetLargest}; NaN if one was no number.
     */
    public float largest() {
      return largest;
    }

    /** A device that has added to a tensor of this grid says the largest magnitude of the sums. */
    public void met(float magnitude) {
      largest = Math.max(largest, magnitude);
    }

    /** Starts to look for the largest magnitude. */
    public void forgetLargest() {
      largest = 0;
    }
  }

  @Override
  public String toString() {
    return label + " " + shape;
  }
}
