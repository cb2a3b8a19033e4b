package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.CodeBook;

/**
 * What kernels find where the launch before left it, in one block: flags for the host, numbers of a
 * step, counters of blocks that have come to their end, code books. The ledger has its bytes from
 * the start.
 */
public final class OwnMemory {
  static final int FLAGS = 64;
  private static final int NUMBERS = 64;
  private static final int COUNTERS = 896;
  private static final int COLUMNS = 32; // of a counter
  private static final int BOOKS = 8; // all that slimvox.optim has
  private static final long OF_FLAGS = 4 * FLAGS;
  private static final long BEFORE_COUNTERS = OF_FLAGS + 4 * NUMBERS;
  private static final long BEFORE_BOOKS = BEFORE_COUNTERS + 4 * COUNTERS;
  private static final long OF_BOOK = 4 * CodeBook.SIZE;

  /** Its size. */
  public static final long BYTES = BEFORE_BOOKS + BOOKS * OF_BOOK;

  /** Whose numbers; each has {@code NUMBERS / values().length} words. */
  enum Kind {
    SGD,
    SGD_QUANTIZED,
    ADAM,
    ADAM_QUANTIZED,
    MARGIN
  }

  /**
   * An argument of a launch that changes from step to step, as the words of a struct: the kernel is
   * given its address, which does not.
   */
  record Numbers(Kind kind, List<Integer> words) {
    static Numbers of(Kind kind, float... values) {
      List<Integer> words = new ArrayList<>();
      for (float v : values) words.add(Float.floatToRawIntBits(v));
      return new Numbers(kind, words);
    }

    static Numbers of(Kind kind, double... values) {
      List<Integer> words = new ArrayList<>();
      for (double v : values) {
        long bits = Double.doubleToRawLongBits(v);
        words.addAll(List.of((int) bits, (int) (bits >> 32)));
      }
      return new Numbers(kind, words);
    }
  }

  private final DeviceMemory memory;
  private final long block;
  private final Map<CodeBook, Long> books = new IdentityHashMap<>();

  /** Reserves it. */
  public OwnMemory(DeviceMemory memory) {
    this.memory = memory;
    block = memory.allocate(BYTES);
    memory.fill(block, 0, 4, BEFORE_BOOKS / 4);
  }

  /** Address of {@link #FLAGS} ints; who uses them clears them before. */
  long flags() {
    return block;
  }

  /** Address of an int for every 32 columns: 0 before a launch, and again after it. */
  long counters(int columns) {
    if (columns > COLUMNS * COUNTERS) {
      throw new IllegalArgumentException(
          "%d columns, at most %d are summed".formatted(columns, COLUMNS * COUNTERS));
    }
    return block + BEFORE_COUNTERS;
  }

  /** Address of numbers, which launches from now on find there. */
  long place(Numbers numbers) {
    int room = NUMBERS / Kind.values().length / 2 * 2;
    long at = block + OF_FLAGS + 4L * room * numbers.kind().ordinal();
    for (int i = 0; i < numbers.words().size(); i++) {
      memory.number(at + 4L * i, numbers.words().get(i));
    }
    return at;
  }

  /** Address of the numbers of a book, which is uploaded once. */
  long book(CodeBook book) {
    Long known = books.get(book);
    if (known != null) return known;
    if (books.size() == BOOKS) {
      throw new IllegalArgumentException("a card has room for " + BOOKS + " code books");
    }
    long address = block + BEFORE_BOOKS + books.size() * OF_BOOK;
    memory.upload(MemorySegment.ofArray(book.values()), address);
    books.put(book, address);
    return address;
  }

  /** Returns it. */
  public void close() {
    memory.free(block);
  }
}
