package slimvox.audio;

import java.io.EOFException;
import java.io.IOException;
import java.io.StreamCorruptedException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import slimvox.storage.InputException;

/**
 * A FLAC file: metadata blocks, the first of which is STREAMINFO, then frames (RFC 9639).
 *
 * <p>Every kind of frame of one channel is decoded: 4 to 32 bits, constant, verbatim, fixed and
 * linear prediction, both Rice codes. An error is a frame with a wrong checksum, and a file with
 * fewer samples than its header says or with another MD5 sum, which a part of a file cannot show. A
 * part is read from a frame not long before it, between the seek points around it, which is looked
 * for as bytes and samples go together; other metadata is stepped over.
 */
final class FlacFile extends AudioFile {
  private static final int STREAMINFO_BYTES = 34;

  /** "fLaC", a block header and STREAMINFO. */
  private static final int PREFIX_BYTES = 4 + 4 + STREAMINFO_BYTES;

  private static final int MOST_IN_A_FRAME = 65536;
  private static final int SEEK_TABLE = 3;
  private static final int SEEK_POINT_BYTES = 18;
  private static final int MOST_GUESSES = 8;

  /** So many blocks are decoded sooner than a nearer frame is found. */
  private static final long FEW_BLOCKS = 4;

  /** Bits per sample by a frame's code; 0 is the header's, -1 is reserved. */
  private static final int[] FRAME_BITS = {0, 8, 12, -1, 16, 20, 24, 32};

  /** Weights of the fixed predictors by their order, oldest sample first. */
  private static final int[][] FIXED = {{}, {1}, {-1, 2}, {1, -3, 3}, {-1, 4, -6, 4}};

  private static final int ID3V1_BYTES = 128;

  private final AudioInfo info;
  private final int bits;
  private final int blockSize;
  private final float scale;
  private final byte[] expectedSum;
  private final long framesStart;
  private ByteBuffer seekPoints = ByteBuffer.allocate(0);

  /** The samples of the frame that was read last. */
  private int[] block = {};

  /** First sample of the frame that was read last, as that says. */
  private long frameSample;

  /** Reads the metadata, from the byte of "fLaC" on. */
  FlacFile(Path path, FileBytes file, long start) throws IOException {
    super(path, file);
    ByteBuffer prefix = file.readUpTo(start, PREFIX_BYTES);
    if (prefix.limit() < PREFIX_BYTES) {
      throw fault("cut short at byte %d, inside the header; copy it again", file.length());
    }
    if ((prefix.get(4) & 0x7f) != 0 || (prefix.getInt(4) & 0xffffff) != STREAMINFO_BYTES) {
      throw fault("damaged header: no STREAMINFO block at byte %d; copy it again", start + 4);
    }
    expectedSum = Arrays.copyOfRange(prefix.array(), PREFIX_BYTES - 16, PREFIX_BYTES);
    // 20 bits sample rate, 3 bits channels - 1, 5 bits bits per sample - 1, 36 bits samples
    long packed = prefix.getLong(18);
    int sampleRate = (int) (packed >>> 44);
    int channels = (int) (packed >>> 41 & 7) + 1;
    blockSize = prefix.getShort(10) & 0xffff;
    bits = (int) (packed >>> 36 & 31) + 1;
    scale = 1f / (1L << bits - 1);
    if (sampleRate == 0 || bits < 4) {
      throw fault("damaged header: %d Hz, %d bits per sample; copy it again", sampleRate, bits);
    }
    info = new AudioInfo("FLAC", bits + "-bit FLAC", sampleRate, channels, packed & 0xfffffffffL);
    framesStart = skipMetadata(start + 4);
  }

  /** The end of the file, or the start of the ID3v1 tag there. */
  private long endOfFrames() throws IOException {
    long tag = file.length() - ID3V1_BYTES;
    if (tag < framesStart) return file.length();
    ByteBuffer start = file.readUpTo(tag, 3);
    boolean isTag = start.get(0) == 'T' && start.get(1) == 'A' && start.get(2) == 'G';
    return isTag ? tag : file.length();
  }

  private long skipMetadata(long position) throws IOException {
    while (true) {
      ByteBuffer header = file.readUpTo(position, 4);
      if (header.limit() < 4) {
        throw fault("cut short at byte %d, inside the metadata; copy it again", file.length());
      }
      int length = header.getInt(0) & 0xffffff;
      if ((header.get(0) & 0x7f) == SEEK_TABLE) seekPoints = file.readUpTo(position + 4, length);
      position += 4 + length;
      if (header.get(0) < 0) {
        if (position >= file.length()) {
          throw fault("cut short at byte %d, before the first frame; copy it again", file.length());
        }
        return position;
      }
    }
  }

  @Override
  AudioInfo info() {
    return info;
  }

  @Override
  float[] samples(ReadSettings settings) throws IOException {
    long promised = info.frames();
    int most = settings.mostSamples(info.sampleRate());
    var in = new FlacBits(file, framesStart);
    MessageDigest md5 = Arrays.equals(expectedSum, new byte[16]) ? null : md5();
    // A damaged header may promise anything: room as for little compression, more when it is used.
    long likely = Math.min(most, 4 * (file.length() - framesStart) + MOST_IN_A_FRAME);
    var samples = new float[(int) Math.min(promised > 0 ? promised : likely, likely)];
    int decoded = 0;
    long end = promised == 0 ? endOfFrames() : 0;
    while (promised == 0 ? in.position() < end : decoded < promised) {
      int length = frame(in, decoded);
      if (promised > 0 && decoded + length > promised) {
        throw fault("damaged: more than the %d samples in its header; copy it again", promised);
      }
      if (decoded + length > most) throw tooLong(settings);
      if (decoded + length > samples.length) {
        int room = Math.min(2 * samples.length, promised > 0 ? (int) promised : most);
        samples = Arrays.copyOf(samples, Math.max(room, decoded + length));
      }
      for (int i = 0; i < length; i++) samples[decoded + i] = block[i] * scale;
      if (md5 != null) update(md5, block, length);
      decoded += length;
    }
    if (md5 != null && !Arrays.equals(expectedSum, md5.digest())) {
      throw fault("its samples do not have the MD5 sum in its header; copy it again");
    }
    return decoded == samples.length ? samples : Arrays.copyOf(samples, decoded);
  }

  @Override
  float[] samples(long from, long to) throws IOException {
    Entry entry = entry(from);
    long at = entry.sample;
    var in = new FlacBits(file, entry.position);
    var samples = new float[(int) (to - from)];
    while (at < to) {
      int length = frame(in, at);
      if (frameSample != at && (at != entry.sample || seekPoints.limit() == 0)) {
        throw fault(
            "damaged: a frame of sample %d comes where sample %d is next; copy it again",
            frameSample, at);
      }
      if (frameSample != at) {
        throw badSeekTable(
            "sample %d is at byte %d, where its seek table has sample %d",
            frameSample, entry.position, at);
      }
      int last = (int) Math.min(length, to - at);
      for (int i = (int) Math.max(0, from - at); i < last; i++) {
        samples[(int) (at - from) + i] = block[i] * scale;
      }
      at += length;
    }
    return samples;
  }

  /** A frame's first sample and byte. */
  private record Entry(long sample, long position) {}

  /** A frame at or before a sample. */
  private Entry entry(long target) throws IOException {
    Entry before = new Entry(0, framesStart);
    Entry after = new Entry(info.frames(), file.length());
    for (int p = 0; p + SEEK_POINT_BYTES <= seekPoints.limit(); p += SEEK_POINT_BYTES) {
      Entry point = new Entry(seekPoints.getLong(p), framesStart + seekPoints.getLong(p + 8));
      // Room for more points has the highest number.
      if (Long.compareUnsigned(point.sample, target) > 0) {
        if (point.sample > 0) after = point;
        break;
      }
      before = point;
    }
    if (before.position < framesStart || before.position >= file.length()) {
      throw badSeekTable(
          "no byte %d in the file, where its seek table has sample %d",
          before.position, before.sample);
    }
    boolean late = false;
    // Each guess is a bit early, as frames of one file differ in length.
    for (int guess = 0; guess < MOST_GUESSES && file.hasEnd(); guess++) {
      long missing = target - before.sample - 2L * blockSize;
      if (missing < FEW_BLOCKS * blockSize || after.sample <= before.sample) break;
      // From the same frame the next guess would be late again, by less and less.
      double share = (late ? 0.5 : 1) * missing / (after.sample - before.sample);
      long position = before.position + (long) (share * (after.position - before.position));
      Entry found = firstFrame(position, after.position);
      if (found == null || found.sample <= before.sample) break;
      late = found.sample > target;
      if (late) after = found;
      else before = found;
    }
    return before;
  }

  /** The first whole frame that starts from a byte on; null: none before the end. */
  private Entry firstFrame(long from, long end) throws IOException {
    ByteBuffer bytes = file.readUpTo(from, (int) Math.min(1 << 16, end - from));
    for (int i = 0; i + 1 < bytes.limit(); i++) {
      if ((bytes.getShort(i) & 0xfffe) != 0xfff8) continue;
      try {
        frame(new FlacBits(file, from + i));
        return new Entry(frameSample, from + i);
      } catch (EOFException | StreamCorruptedException e) {
        // bits within a frame that look like a start
      }
    }
    return null;
  }

  private InputException badSeekTable(String format, Object... values) {
    return fault(
        format
            + "; make that again: metaflac --remove --block-type=SEEKTABLE, then metaflac"
            + " --add-seekpoint=1s",
        values);
  }

  /** Decodes a frame and returns its number of samples. */
  private int frame(FlacBits in, long decoded) throws IOException {
    long start = in.position();
    try {
      return frame(in);
    } catch (EOFException e) {
      if (info.frames() == 0) {
        throw fault("cut short at byte %d, inside a frame; copy it again", file.length());
      }
      throw fault(
          "cut short at byte %d: %d samples of the %d that its header promises; copy it again",
          file.length(), decoded, info.frames());
    } catch (StreamCorruptedException e) {
      throw fault("damaged near byte %d (%s); copy it again", start, e.getMessage());
    }
  }

  private int frame(FlacBits in) throws IOException {
    in.startFrame();
    require(in.take(15) == 0x7ffc, "no frame starts here");
    boolean countsSamples = in.take(1) == 1; // else frames
    int sizeCode = in.take(4);
    int rateCode = in.take(4);
    int channels = in.take(4);
    int bitsCode = in.take(3);
    in.take(1);
    int lead = in.take(8); // as in UTF-8: its ones in front count the bytes
    int ones = Integer.numberOfLeadingZeros(~lead << 24);
    long number = lead & 0x7f >> ones;
    for (int more = ones - 1; more > 0; more--) number = number << 6 | in.take(8) & 0x3f;
    frameSample = countsSamples ? number : number * blockSize;
    int length =
        switch (sizeCode) {
          case 0 -> 0;
          case 1 -> 192;
          case 2, 3, 4, 5 -> 576 << sizeCode - 2;
          case 6 -> in.take(8) + 1;
          case 7 -> in.take(16) + 1;
          default -> 256 << sizeCode - 8;
        };
    if (rateCode >= 12) in.take(rateCode == 12 ? 8 : 16);
    in.take(8); // CRC-8 of the header; the frame's CRC-16 covers it as well
    require(length > 0 && rateCode < 15 && FRAME_BITS[bitsCode] >= 0, "a reserved code");
    require(
        channels == 0 && (bitsCode == 0 || FRAME_BITS[bitsCode] == bits),
        "frame and header disagree");
    if (block.length < length) block = new int[length];
    channel(in, block, length);
    require(in.endsFrame(), "wrong checksum");
    return length;
  }

  private void channel(FlacBits in, int[] out, int length) throws IOException {
    require(in.take(1) == 0, "a reserved code");
    int type = in.take(6);
    int wasted = in.take(1) == 0 ? 0 : in.takeUnary() + 1;
    int width = bits - wasted;
    require(width > 0, "no bits per sample");
    if (type == 0) {
      Arrays.fill(out, 0, length, in.takeSigned(width));
    } else if (type == 1) {
      takeSigned(in, out, 0, length, width);
    } else {
      boolean fixed = type >= 8 && type < 8 + FIXED.length;
      require(fixed || type >= 32, "a reserved code");
      int order = fixed ? type - 8 : type - 31;
      require(order <= length, "a frame shorter than its predictor");
      takeSigned(in, out, 0, order, width);
      int[] weights = fixed ? FIXED[order] : new int[order];
      int shift = 0;
      if (!fixed) {
        int precision = in.take(4) + 1;
        shift = in.takeSigned(5);
        require(precision < 16 && shift >= 0, "a reserved code");
        for (int i = order - 1; i >= 0; i--) weights[i] = in.takeSigned(precision);
      }
      residual(in, out, length, order);
      predict(out, length, weights, shift);
    }
    for (int i = 0; wasted > 0 && i < length; i++) out[i] <<= wasted;
  }

  private static void takeSigned(FlacBits in, int[] out, int from, int to, int width)
      throws IOException {
    for (int i = from; i < to; i++) out[i] = in.takeSigned(width);
  }

  /** What prediction left, in 2^n parts, each with a Rice code of its own or with plain numbers. */
  private static void residual(FlacBits in, int[] out, int length, int order) throws IOException {
    int method = in.take(2);
    int partsLog = in.take(4);
    require(method < 2, "a reserved code");
    int part = length >> partsLog;
    require(part << partsLog == length && part >= order, "parts that do not fit the frame");
    int plain = method == 0 ? 15 : 31;
    for (int at = order, end = part; end <= length; at = end, end += part) {
      int code = in.take(4 + method);
      if (code == plain) {
        takeSigned(in, out, at, end, in.take(5));
      } else {
        in.takeRice(out, at, end, code);
      }
    }
  }

  /** Adds to each sample (sum of weight x earlier sample) / 2^shift. */
  private static void predict(int[] out, int length, int[] weights, int shift) {
    for (int i = weights.length; i < length; i++) {
      long sum = 0;
      for (int j = 0, first = i - weights.length; j < weights.length; j++) {
        sum += (long) weights[j] * out[first + j];
      }
      out[i] += (int) (sum >> shift);
    }
  }

  private static void require(boolean condition, String otherwise) throws IOException {
    if (!condition) throw new StreamCorruptedException(otherwise);
  }

  /** The header's sum is over the samples as little-endian integers of whole bytes. */
  private void update(MessageDigest md5, int[] values, int count) {
    int width = (bits + 7) / 8;
    var bytes = new byte[count * width];
    for (int i = 0, at = 0; i < count; i++) {
      for (int b = 0; b < width; b++) bytes[at++] = (byte) (values[i] >> 8 * b);
    }
    md5.update(bytes);
  }

  private static MessageDigest md5() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has MD5", e);
    }
  }
}
