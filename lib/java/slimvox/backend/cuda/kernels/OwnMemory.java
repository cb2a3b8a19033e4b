package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.Map;
import slimvox.backend.CodeBook;

/**
 * What kernels find where the launch before left it, in one block: flags for the host, counters of
 * blocks that have come to their end, code books. The ledger has its bytes from the start.
 */
public final class OwnMemory {
  static final int FLAGS = 64;
  private static final int COUNTERS = 960;
  private static final int COLUMNS = 32; // of a counter
  private static final int BOOKS = 8; // all that slimvox.optim has
  private static final long OF_FLAGS = 4 * FLAGS;
  private static final long BEFORE_BOOKS = OF_FLAGS + 4 * COUNTERS;
  private static final long OF_BOOK = 4 * CodeBook.SIZE;

  /** Its size. */
  public static final long BYTES = BEFORE_BOOKS + BOOKS * OF_BOOK;

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
    return block + OF_FLAGS;
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
