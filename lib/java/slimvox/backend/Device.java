package slimvox.backend;

import java.lang.foreign.MemorySegment;
import slimvox.backend.packed.Packed;

/**
 * What a kind of hardware provides to a {@link Backend}: raw memory and the primitive operations,
 * in families.
 *
 * <p>A family's {@code Kernels} say what each operation computes. Arguments have been checked by
 * the family: shapes and types fit, buffers are large enough. Tensors are float32 where nothing
 * else is said. "Rows" are all axes but the last; activations are N, H, W, C with C contiguous.
 * Every operation says what it writes; nothing else is changed. Buffers named {@code dx, dweight
 * ...} are gradients. An operation whose {@code accumulate} is true adds to its result instead of
 * replacing it. A kernel that is not overridden does nothing, which is what a dry device does.
 *
 * <p>Operations that need scratch memory have a twin that says how many bytes; the family allocates
 * them as {@code WORKSPACE} and passes the buffer ({@code null} where the twin says 0). The same
 * arguments always give the same bytes and, on the CPU with the same number of threads, the same
 * bits.
 */
public interface Device extends Hardware {
  /** To what the float32 factors of matrix products and convolutions may be rounded; sums never. */
  enum MathMode {
    FLOAT32,
    /** 10 bits of mantissa: on a card, where it has tensor cores for them. */
    TF32,
    /** 7 bits of mantissa: on a processor with AMX. */
    BFLOAT16
  }

  /** Short name: {@code cpu}, {@code cuda}, {@code dry}. */
  String name();

  /** One line about the hardware and libraries in use. */
  String description();

  /**
   * Raw memory, by addresses, and copies between it and the host. By default there is none: every
   * address is 0 and every download zeros.
   */
  interface Memory {
    /**
     * Reserves bytes, aligned to {@code ArenaPlan.ALIGNMENT}; contents undefined.
     *
     * @throws OutOfDeviceMemoryException if there is not enough
     */
    default long allocate(long bytes) {
      return 0;
    }

    /** Returns what {@link #allocate} gave. */
    default void free(long address) {}

    /** Copies all bytes of {@code host} to the device; has read them when it returns. */
    default void upload(MemorySegment host, long address) {}

    /** Fills all bytes of {@code host} from the device. */
    default void download(long address, MemorySegment host) {
      host.fill((byte) 0);
    }

    /** Whether {@link #stage} copies while operations run. */
    default boolean stages() {
      return false;
    }

    /**
     * Starts to copy an array to {@code buffer} that the next {@link #upload} will be given, while
     * other operations run; that upload then copies it from there. The array must not change
     * between the two.
     */
    default void stage(float[] values, long buffer) {}
  }

  /** The memory of this device. */
  default Memory memory() {
    return new Memory() {};
  }

  /** Whether tensors may be of this type. */
  default boolean takes(DataType type) {
    return type != DataType.BFLOAT16 && !type.isFixed();
  }

  /**
   * Bytes of its memory that the device has for itself as long as it is open, beside what {@link
   * #memory} gives.
   */
  default long ownBytes() {
    return 0;
  }

  /**
   * Runs what looks at or updates many tensors, each on its own ({@link
   * Elementwise.Kernels#markNotFinite}, {@link Optimizers.Kernels}): a card may do them in few
   * launches. All are queued when this returns.
   */
  default void together(Runnable work) {
    work.run();
  }

  /** What computes, a family each. */
  record Families(
      Elementwise.Kernels elementwise,
      Matrices.Kernels matrices,
      Convolutions.Kernels convolutions,
      Normalization.Kernels normalization,
      Rearrangement.Kernels rearrangement,
      Pooling.Kernels pooling,
      Margin.Kernels margin,
      Binary.Kernels binary,
      Optimizers.Kernels optimizers,
      Packed.Kernels packed) {
    /** Compute nothing. */
    public static final Families NONE =
        new Families(
            new Elementwise.Kernels() {},
            new Matrices.Kernels() {},
            new Convolutions.Kernels() {},
            new Normalization.Kernels() {},
            new Rearrangement.Kernels() {},
            new Pooling.Kernels() {},
            new Margin.Kernels() {},
            new Binary.Kernels() {},
            new Optimizers.Kernels() {},
            new Packed.Kernels() {});

    /** Puts other kernels of a family in the place of a device's. */
    public interface Wrapper {
      /** The other kernels, which may call the {@code own} ones. */
      <K> K wrap(Class<K> family, K own);
    }

    /** The same, each family wrapped. */
    public Families wrapped(Wrapper by) {
      return new Families(
          by.wrap(Elementwise.Kernels.class, elementwise),
          by.wrap(Matrices.Kernels.class, matrices),
          by.wrap(Convolutions.Kernels.class, convolutions),
          by.wrap(Normalization.Kernels.class, normalization),
          by.wrap(Rearrangement.Kernels.class, rearrangement),
          by.wrap(Pooling.Kernels.class, pooling),
          by.wrap(Margin.Kernels.class, margin),
          by.wrap(Binary.Kernels.class, binary),
          by.wrap(Optimizers.Kernels.class, optimizers),
          by.wrap(Packed.Kernels.class, packed));
    }
  }

  /** The kernels of this device; by default nothing is computed. */
  default Families kernels() {
    return Families.NONE;
  }
}
