package slimvox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.fail;

import com.sun.management.ThreadMXBean;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Function;
import slimvox.storage.InputException;

/**
 * Gives a reader thousands of damaged files: it has to read or to refuse each in one line, without
 * end only where nothing ends, and without asking for memory that the file does not justify.
 *
 * <pre>{@code
 * Fuzz.of(file).rounds(500, AudioFiles::read);            // may be read as something else
 * Fuzz.of(file).sealed(500, f -> everythingIn(f));        // with checksums: as it was, or refused
 * }</pre>
 *
 * <p>The same seed gives the same damage; a failure names the round, whose file is left.
 */
public final class Fuzz {
  private static final long MOST_BYTES = 256L << 20; // that one reading may allocate
  private static final Duration MOST_TIME = Duration.ofMinutes(2); // for all rounds: a hang
  private static final long[] EXTREMES = {
    0,
    1,
    -1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffffL,
    0x80000000L,
    0xffffffffL,
    0x100000000L,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    Long.MAX_VALUE - 8,
    Integer.MAX_VALUE - 8
  };
  private static final String[] NUMBERS = {
    "0",
    "-1",
    "1",
    "-0",
    "00",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "99999999999999999999",
    "-9223372036854775808",
    "1e400",
    "1e-400",
    "0.5",
    "NaN",
    "Infinity",
    "0x10",
    "\u0661\u0662"
  };
  private static final byte[][] PIECES = {
    {(byte) 0xc0, (byte) 0x80}, // bytes that are not UTF-8
    {(byte) 0xff, (byte) 0xfe},
    {(byte) 0xed, (byte) 0xa0, (byte) 0x80},
    {(byte) 0xf4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
    {(byte) 0xe2},
    {(byte) 0xef, (byte) 0xbb, (byte) 0xbf}, // byte-order mark
    {0},
    {'\n'},
    {'\r'},
    {'\t'},
    {' '},
    {'"'},
    {'\\'},
    {'{'},
    {'['},
    {','},
    {0x1b, ']', '0', ';', 'x', 7}, // what a terminal takes for a command
    {(byte) 0xc2, (byte) 0x85}, // a line's end to some
    {(byte) 0xe2, (byte) 0x80, (byte) 0xa8},
    {'e', (byte) 0xcc, (byte) 0x81}, // a letter and its accent
    "\\ud800".getBytes(StandardCharsets.US_ASCII),
    "[".repeat(20_000).getBytes(StandardCharsets.US_ASCII),
    "{\"a\":".repeat(5_000).getBytes(StandardCharsets.US_ASCII),
    "x".repeat(100_000).getBytes(StandardCharsets.US_ASCII),
  };

  /** Reads all there is in a file. */
  @FunctionalInterface
  public interface Reader {
    /**
     * Returns what was read: for {@link #sealed} copied, and in a form that {@code equals}
     * compares.
     */
    Object read(Path file) throws Exception;
  }

  private final Path file;
  private final Function<Random, byte[]> damaged;
  private final byte[] valid;
  private long seed = 1;

  private Fuzz(Path file, Function<Random, byte[]> damaged) throws IOException {
    this.file = file;
    this.valid = Files.readAllBytes(file);
    this.damaged = damaged == null ? random -> mutate(valid, random) : damaged;
  }

  /** Damages the content of a file that can be read; it is restored at the end. */
  public static Fuzz of(Path file) throws IOException {
    return new Fuzz(file, null);
  }

  /** Puts other content into a file: where plain damage does not get past a length or a sum. */
  public static Fuzz of(Path file, Function<Random, byte[]> content) throws IOException {
    return new Fuzz(file, content);
  }

  /** Other damage than without. */
  public Fuzz seed(long other) {
    seed = other;
    return this;
  }

  /** Every damaged file is read, or refused with one line. Returns how many were refused. */
  public int rounds(int count, Reader reader) {
    return run(count, reader, false);
  }

  /** Every damaged file is read as it was, or refused with one line. */
  public int sealed(int count, Reader reader) {
    return run(count, reader, true);
  }

  private int run(int count, Reader reader, boolean sealed) {
    int[] refused = {0};
    int[] round = {0};
    assertTimeoutPreemptively(
        MOST_TIME,
        () -> {
          Object whole = reader.read(file); // what is valid is read
          for (; round[0] < count; round[0]++) {
            byte[] content = damaged.apply(new Random(seed * 1_000_003 + round[0]));
            Files.write(file, content);
            if (isRefused(reader, round[0], sealed && !Arrays.equals(content, valid), whole)) {
              refused[0]++;
            }
          }
          Files.write(file, valid);
        },
        () -> "no end in or before round " + round[0] + " of seed " + seed);
    return refused[0];
  }

  private boolean isRefused(Reader reader, int round, boolean sealed, Object whole) {
    String which = "round " + round + " of seed " + seed + ", " + file;
    long before = allocated();
    try {
      Object read = reader.read(file);
      if (sealed) assertEquals(whole, read, which + ": damage was not noticed");
      return false;
    } catch (InputException e) {
      String message = String.valueOf(e.getMessage());
      if (message.isBlank() || message.length() > 2000 || message.lines().count() > 1) {
        fail(which + ": not one line: " + message, e);
      }
      return true;
    } catch (Exception | Error e) {
      if (e instanceof AssertionError failure) throw failure;
      return fail(which + ": neither read nor refused", e);
    } finally {
      long bytes = allocated() - before;
      if (bytes > MOST_BYTES) fail(which + ": " + bytes + " bytes allocated");
    }
  }

  private static long allocated() {
    return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
  }

  // ---- damage

  /** Cuts both entries with checksums out of a safetensors header and flips a sign in the data. */
  public static void withoutChecksums(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    String header = new String(bytes, 8, length, StandardCharsets.UTF_8);
    String without =
        header.replaceFirst("\"slimvox.format\":\"1\",\"slimvox.crc32c\":\"[^\"]*\",", "");
    byte[] text =
        (without + " ".repeat(length - without.length())).getBytes(StandardCharsets.UTF_8);
    System.arraycopy(text, 0, bytes, 8, length);
    bytes[bytes.length - 1] ^= (byte) 0x80;
    Files.write(file, bytes);
  }

  /** One to three kinds of damage to a copy. */
  public static byte[] mutate(byte[] valid, Random random) {
    byte[] bytes = valid.clone();
    int changes = random.nextInt(3) == 0 ? 2 + random.nextInt(2) : 1;
    for (int i = 0; i < changes; i++) bytes = once(bytes, random);
    return bytes;
  }

  private static byte[] once(byte[] bytes, Random random) {
    if (bytes.length == 0) return PIECES[random.nextInt(PIECES.length)].clone();
    int at = place(bytes, random);
    return switch (random.nextInt(10)) {
      case 0 -> flipped(bytes, at, 1 << random.nextInt(8));
      case 1 -> flipped(bytes, at, 1 + random.nextInt(255));
      case 2 -> length(bytes, at, random);
      case 3 -> Arrays.copyOf(bytes, at);
      case 4 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(64));
      case 5 -> replaced(bytes, at, Math.min(bytes.length, at + size(random)), new byte[0]);
      case 6 -> { // a part once more, elsewhere
        int from = random.nextInt(bytes.length);
        byte[] part = Arrays.copyOfRange(bytes, from, Math.min(bytes.length, from + size(random)));
        yield replaced(bytes, at, at, part);
      }
      case 7 -> replaced(bytes, at, at, PIECES[random.nextInt(PIECES.length)]);
      case 8 -> {
        byte[] piece = PIECES[random.nextInt(PIECES.length)];
        yield replaced(bytes, at, Math.min(bytes.length, at + piece.length), piece);
      }
      default -> number(bytes, at, random);
    };
  }

  /** Headers are at the start: half of the damage is done there. */
  private static int place(byte[] bytes, Random random) {
    return random.nextInt(random.nextBoolean() ? bytes.length : Math.min(bytes.length, 256));
  }

  private static int size(Random random) {
    return 1 + random.nextInt(random.nextBoolean() ? 8 : 200);
  }

  private static byte[] flipped(byte[] bytes, int at, int bits) {
    bytes[at] ^= (byte) bits;
    return bytes;
  }

  /** A binary number of 2, 4 or 8 bytes set to an extreme. */
  private static byte[] length(byte[] bytes, int at, Random random) {
    int width = 2 << random.nextInt(3);
    if (bytes.length < width) return bytes;
    at = Math.min(at, bytes.length - width);
    long value = EXTREMES[random.nextInt(EXTREMES.length)];
    ByteBuffer eight = ByteBuffer.allocate(8);
    if (random.nextInt(4) > 0) {
      eight.order(ByteOrder.LITTLE_ENDIAN).putLong(0, value).get(0, bytes, at, width);
    } else {
      eight.putLong(0, value).get(8 - width, bytes, at, width);
    }
    return bytes;
  }

  /** A decimal number set to an extreme: the next one after a place. */
  private static byte[] number(byte[] bytes, int at, Random random) {
    int from = at;
    while (from < bytes.length && (bytes[from] < '0' || bytes[from] > '9')) from++;
    int to = from;
    while (to < bytes.length && bytes[to] >= '0' && bytes[to] <= '9') to++;
    String number = NUMBERS[random.nextInt(NUMBERS.length)];
    return replaced(bytes, from, to, number.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] replaced(byte[] bytes, int from, int to, byte[] by) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length + by.length);
    out.write(bytes, 0, from);
    out.writeBytes(by);
    out.write(bytes, to, bytes.length - to);
    return out.toByteArray();
  }
}
