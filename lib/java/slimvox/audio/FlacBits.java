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
  private final byte[] buffer = new byte[1 << 16];
  private int next;
  private int limit;

  /** Where the buffer ends in the file. */
  private long end;

  /** The last {@code held} bits are read but not yet taken. */
  private long cache;

  private int held;
  private int crc;

  FlacBits(FileBytes file, long position) {
    this.file = file;
    end = position;
  }

  /** The first byte of which no bit was taken. */
  long position() {
    return end - limit + next;
  }

  /** Goes to the start of a byte; the checksum begins there. */
  void startFrame() {
    held = 0;
    crc = 0;
  }

  /** Goes to the start of a byte and tells whether the two that follow are the checksum so far. */
  boolean endsFrame() throws IOException {
    held = 0;
    take(16);
    return crc == 0;
  }

  boolean atEnd() throws IOException {
    return next == limit && !fill();
  }

  private boolean fill() throws IOException {
    limit = Math.max(0, file.read(end, buffer, 0, buffer.length));
    next = 0;
    end += limit;
    return limit > 0;
  }

  private int nextByte() throws IOException {
    if (next == limit && !fill()) throw new EOFException();
    int b = buffer[next++] & 0xff;
    crc = crc << 8 & 0xffff ^ CRC[crc >> 8 ^ b];
    return b;
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
      int folded = takeUnary() << remainderBits | take(remainderBits);
      out[i] = folded >>> 1 ^ -(folded & 1);
    }
  }
}
