package slimvox.backend;

import java.util.List;
import java.util.Map;
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
public interface Device
    extends AutoCloseable,
        Elementwise.Kernels,
        Matrices.Kernels,
        Convolutions.Kernels,
        Normalization.Kernels,
        Rearrangement.Kernels,
        Pooling.Kernels,
        Margin.Kernels,
        Binary.Kernels,
        Optimizers.Kernels {
  /** Short name: {@code cpu}, {@code cuda}, {@code dry}. */
  String name();

  /** One line about the hardware and libraries in use. */
  String description();

  /**
   * What the driver of this device counts beside the ledger, in bytes by name; empty where nothing
   * is added that is worth counting.
   *
   * <p>A GPU has {@code blocks} (asked for by us: the ledger's tensors and planned blocks), {@code
   * context} (used before the first block: context, kernels, the libraries' own), {@code driver}
   * (the driver's count of this process now), {@code card} (all processes) and {@code total}.
   */
  default Map<String, Long> driverMemory() {
    return Map.of();
  }

  /** Notes from now on how long each kernel takes; nothing where there are none. */
  default void timeKernels() {}

  /**
   * Waits for the kernels since {@link #timeKernels} and ends what it began.
   *
   * @return how long each took, the longest first; empty where there are none
   */
  default List<KernelTime> kernelTimes() {
    return List.of();
  }

  /** Packed inference; by default nothing is computed. */
  default Packed.Kernels packed() {
    return new Packed.Kernels() {};
  }

  // ---- memory

  /** Reserves bytes, aligned to {@code ArenaPlan.ALIGNMENT}; contents undefined. */
  long allocateBlock(long bytes);

  /** Returns what {@link #allocateBlock} gave. */
  void freeBlock(long address);

  /** Copies floats from the host; {@code x} is written. */
  void upload(float[] values, Tensor x);

  /** Copies ints from the host; {@code x} is written. */
  void upload(int[] values, Tensor x);

  /** Copies bytes from the host; {@code x} is written. */
  void upload(byte[] values, Tensor x);

  /** Whether {@link #stage} is of use. */
  default boolean stages() {
    return false;
  }

  /**
   * Starts to copy floats that the next {@link #upload(float[], Tensor)} will be given, while other
   * operations run; that upload then copies them from {@code buffer}. The array must not change
   * between the two.
   */
  default void stage(float[] values, Tensor buffer) {}

  /** Copies floats to the host. */
  void download(Tensor x, float[] values);

  /** Copies ints to the host. */
  void download(Tensor x, int[] values);

  /** Copies bytes to the host. */
  void download(Tensor x, byte[] values);

  // ---- operations, a family each

  /** See {@link Elementwise}. */
  default Elementwise.Kernels elementwise() {
    return this;
  }

  /** See {@link Matrices}. */
  default Matrices.Kernels matrices() {
    return this;
  }

  /** See {@link Convolutions}. */
  default Convolutions.Kernels convolutions() {
    return this;
  }

  /** See {@link Normalization}. */
  default Normalization.Kernels normalization() {
    return this;
  }

  /** See {@link Rearrangement}. */
  default Rearrangement.Kernels rearrangement() {
    return this;
  }

  /** See {@link Pooling}. */
  default Pooling.Kernels pooling() {
    return this;
  }

  /** See {@link Margin}. */
  default Margin.Kernels margin() {
    return this;
  }

  /** See {@link Binary}. */
  default Binary.Kernels binary() {
    return this;
  }

  /** See {@link Optimizers}. */
  default Optimizers.Kernels optimizers() {
    return this;
  }

  @Override
  void close();
}
