package slimvox.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.DataType;

/**
 * Vector loads and stores at raw addresses.
 *
 * <p>All of memory is one segment, so an address is an offset; the bounds check that remains is a
 * comparison with a constant, which the compiler moves out of loops. The arguments of an operation
 * have been checked by the backend before an address gets here.
 */
public final class Lanes {
  /** The widest vectors of this processor. */
  public static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Floats in one vector. */
  public static final int LANES = FLOATS.length();

  /** As many bfloat16 numbers, half as long. */
  private static final VectorSpecies<Short> HALVES =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  /** Whether vectors of bytes can be as long as vectors of floats. */
  public static final boolean BYTES = FLOATS.vectorBitSize() >= 256;

  /** As many bytes, where there are such. */
  private static final VectorSpecies<Byte> QUARTERS =
      VectorSpecies.of(
          byte.class, VectorShape.forBitSize(Math.max(64, FLOATS.vectorBitSize() / 4)));

  private static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);

  /** All of memory. */
  public static final MemorySegment ALL = everything();

  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private Lanes() {}

  @SuppressWarnings("restricted")
  private static MemorySegment everything() {
    return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  }

  /** The vector at an address. */
  public static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address, ORDER);
  }

  /** The lanes of {@code mask} at an address, the others 0. */
  public static FloatVector load(long address, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address, ORDER, mask);
  }

  /** Writes a vector. */
  public static void store(long address, FloatVector v) {
    v.intoMemorySegment(ALL, address, ORDER);
  }

  /** Writes the lanes of {@code mask}. */
  public static void store(long address, FloatVector v, VectorMask<Float> mask) {
    v.intoMemorySegment(ALL, address, ORDER, mask);
  }

  /** The bfloat16 numbers at an address. */
  public static FloatVector loadBfloat16(long address) {
    return ShortVector.fromMemorySegment(HALVES, ALL, address, ORDER)
        .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0)
        .lanewise(VectorOperators.LSHL, 16)
        .reinterpretAsFloats();
  }

  /** Writes a vector as bfloat16 numbers, rounded as {@link DataType#bfloat16} does. */
  public static void storeBfloat16(long address, FloatVector v) {
    IntVector bits = v.reinterpretAsInts();
    IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
    IntVector nearest = bits.add(upper.and(1)).add(0x7FFF).lanewise(VectorOperators.LSHR, 16);
    nearest
        .blend(upper.or(0x40), v.test(VectorOperators.IS_NAN).cast(INTS))
        .convertShape(VectorOperators.I2S, HALVES, 0)
        .reinterpretAsShorts()
        .intoMemorySegment(ALL, address, ORDER);
  }

  /** The whole numbers of 16 bits at an address. */
  public static FloatVector loadShorts(long address) {
    return ShortVector.fromMemorySegment(HALVES, ALL, address, ORDER)
        .convertShape(VectorOperators.S2F, FLOATS, 0)
        .reinterpretAsFloats();
  }

  /** Writes whole numbers of 16 bits, which the vector must hold. */
  public static void storeShorts(long address, FloatVector v) {
    v.convertShape(VectorOperators.F2S, HALVES, 0).intoMemorySegment(ALL, address, ORDER);
  }

  /** The whole numbers of 8 bits at an address. */
  public static FloatVector loadBytes(long address) {
    return ByteVector.fromMemorySegment(QUARTERS, ALL, address, ORDER)
        .convertShape(VectorOperators.B2F, FLOATS, 0)
        .reinterpretAsFloats();
  }

  /** Writes whole numbers of 8 bits, which the vector must hold. */
  public static void storeBytes(long address, FloatVector v) {
    v.convertShape(VectorOperators.F2B, QUARTERS, 0).intoMemorySegment(ALL, address, ORDER);
  }

  /** The vector at {@code table[i]}. */
  public static FloatVector load(float[] table, int i) {
    return FloatVector.fromArray(FLOATS, table, i);
  }

  /** The lanes of {@code mask} at {@code table[i]}, the others 0. */
  public static FloatVector load(float[] table, int i, VectorMask<Float> mask) {
    return FloatVector.fromArray(FLOATS, table, i, mask);
  }

  /** y = x, so many floats. */
  public static void copy(long x, long y, long count) {
    MemorySegment.copy(ALL, x, ALL, y, 4 * count);
  }

  /** The lanes that are left from {@code i} to {@code count}. */
  public static VectorMask<Float> tail(int i, int count) {
    return FLOATS.indexInRange(i, count);
  }

  /** Element {@code i} of the floats at an address. */
  public static float get(long address, long i) {
    return ALL.get(ValueLayout.JAVA_FLOAT, address + 4 * i);
  }

  /** Writes element {@code i} of the floats at an address. */
  public static void set(long address, long i, float value) {
    ALL.set(ValueLayout.JAVA_FLOAT, address + 4 * i, value);
  }

  /** Element {@code i} of the bfloat16 numbers at an address. */
  public static float getBfloat16(long address, long i) {
    return DataType.ofBfloat16(ALL.get(ValueLayout.JAVA_SHORT, address + 2 * i));
  }

  /** Writes element {@code i} of the bfloat16 numbers at an address. */
  public static void setBfloat16(long address, long i, float value) {
    ALL.set(ValueLayout.JAVA_SHORT, address + 2 * i, DataType.bfloat16(value));
  }

  /** Element {@code i} of the ints at an address. */
  public static int getInt(long address, long i) {
    return ALL.get(ValueLayout.JAVA_INT, address + 4 * i);
  }

  /** Writes element {@code i} of the ints at an address. */
  public static void setInt(long address, long i, int value) {
    ALL.set(ValueLayout.JAVA_INT, address + 4 * i, value);
  }
}
