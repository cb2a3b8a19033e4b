package slimvox.audio;

import java.io.EOFException;
import java.io.IOException;

/** The bits of a file from a byte on, most significant first, and the CRC-16 of what was read. */
final class FlacBits {
  /** Remainders of each byte for x^16 + x^15 + x^2 + 1. */
  private static final int[] CRC = new int[256];

  static {
    for (int b = 0; b < 256; b++) {
      int crc = b << 8;
      for (int i = 0; i < 8; i++) crc = crc << 1 ^ (crc & 0x8000) * 0x8005 >> 15;
      CRC[b] = crc & 0xffff;
    }
  }

  private final FileBytes file;

  /** So many that a short stretch of a long file costs little; larger ones are read no faster. */
  private final byte[] buffer = new byte[1 << 13];

  private int next;
  private int limit;

  /** Where the buffer ends in the file. */
  private long end;

  /** The last {@code held} bits are read but not yet taken. */
  private long cache;

  private int held;

  /** The checksum of the frame up to a byte of the buffer. */
  private int crc;

  private int summed;

  FlacBits(FileBytes file, long position) {
    this.file = file;
    end = position;
  }

  /** The first byte of which no bit was taken. */
  long position() {
    return end - limit + next - held / 8;
  }

  /** Goes to the start of a byte; the checksum begins there. */
  void startFrame() {
    align();
    crc = 0;
    summed = next;
  }

  /** Goes to the start of a byte and tells whether the two that follow are the checksum so far. */
  boolean endsFrame() throws IOException {
    align();
    take(16);
    sum();
    return crc == 0;
  }

  /** Whole bytes that were read ahead are of the buffer as it is: the next ones. */
  private void align() {
    next -= held / 8;
    held = 0;
  }

  private void sum() {
    for (; summed < next; summed++) {
      crc = crc << 8 & 0xffff ^ CRC[crc >> 8 ^ buffer[summed] & 0xff];
    }
  }

  private boolean fill() throws IOException {
    sum();
    limit = Math.max(0, file.read(end, buffer, 0, buffer.length));
    next = 0;
    summed = 0;
    end += limit;
    return limit > 0;
  }

  private int nextByte() throws IOException {
    if (next == limit && !fill()) throw new EOFException();
    return buffer[next++] & 0xff;
  }

  /** An unsigned number of up to 48 bits. */
  private long unsigned(int bits) throws IOException {
    while (held < bits) {
      cache = cache << 8 | nextByte();
      held += 8;
    }
    held -= bits;
    return cache >>> held & (1L << bits) - 1;
  }

  /** An unsigned number of up to 31 bits. */
  int take(int bits) throws IOException {
    return (int) unsigned(bits);
  }

  /** A number of up to 32 bits in two's complement; 0 of 0 bits. */
  int takeSigned(int bits) throws IOException {
    return bits == 0 ? 0 : (int) (unsigned(bits) << 64 - bits >> 64 - bits);
  }

  /** How many bits of 0 come before the next 1, which is taken too. */
  int takeUnary() throws IOException {
    int zeros = 0;
    while (true) {
      long window = held == 0 ? 0 : cache << 64 - held;
      if (window != 0) {
        int more = Long.numberOfLeadingZeros(window);
        held -= more + 1;
        return zeros + more;
      }
      zeros += held;
      cache = nextByte();
      held = 8;
    }
  }

  /** Rice codes: quotient in unary, remainder of some bits; 0, -1, 1, -2, ... are 0, 1, 2, 3. */
  void takeRice(int[] out, int from, int to, int remainderBits) throws IOException {
    for (int i = from; i < to; i++) {
      while (held <= 56 && next < limit) {
        cache = cache << 8 | buffer[next++] & 0xff;
        held += 8;
      }
      int zeros = held == 0 ? 64 : Long.numberOfLeadingZeros(cache << 64 - held);
      int left = held - zeros - 1 - remainderBits;
      int folded;
      if (left >= 0) { // most codes: no byte is missing
        held = left;
        folded = zeros << remainderBits | (int) (cache >>> left & (1L << remainderBits) - 1);
      } else {
        folded = takeUnary() << remainderBits | take(remainderBits);
      }
      out[i] = folded >>> 1 ^ -(folded & 1);
    }
  }
}
