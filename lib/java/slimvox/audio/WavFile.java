package slimvox.audio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A WAV file: RIFF chunks, of which "fmt " and "data" matter; or RF64 and BW64, whose lengths of 64
 * bits are in a chunk "ds64".
 *
 * <p>Read are PCM of 8 bits (unsigned) to 32, float of 32 and 64, A-law and mu-law (ITU-T G.711),
 * and the same as WAVE_FORMAT_EXTENSIBLE; full scale is 2^(bits - 1), for the laws 2^15. Where the
 * length of the samples was never written (0, or beyond the file and near 2^32), as by a recorder
 * that was switched off or to a pipe, they go to the end of the file.
 */
final class WavFile extends AudioFile {
  private static final int PCM = 1;
  private static final int FLOAT = 3;
  private static final int A_LAW = 6;
  private static final int MU_LAW = 7;
  private static final int EXTENSIBLE = 0xfffe;

  /** What follows the tag in an extensible header's GUID. */
  private static final byte[] GUID_END = {
    0, 0, 0, 0, 0x10, 0, (byte) 0x80, 0, 0, (byte) 0xaa, 0, 0x38, (byte) 0x9b, 0x71
  };

  /** From this declared length on, the writer (to a pipe) did not know the length. */
  private static final long UNKNOWN_LENGTH = 0x7ffff000L;

  private static final int BLOCK_FRAMES = 8192;

  /** Full scale is 1, or 32,768 where somebody has kept the whole numbers; more is damage. */
  private static final float LOUDEST = 1e9f;

  private final long size;
  private final AudioInfo info;
  private final int tag;
  private final int sampleBytes;
  private final long dataStart;

  WavFile(Path path, FileBytes file) throws IOException {
    super(path, file);
    size = file.hasEnd() ? file.length() : lengthByHeader();
    ByteBuffer format = null;
    ByteBuffer lengths = null;
    long position = 12;
    while (true) {
      ByteBuffer header = little(position, 8);
      if (header.limit() < 8) {
        throw fault(
            "cut short at byte %d, before a complete %s chunk; copy or convert it again",
            size, format == null ? "\"fmt \"" : "\"data\"");
      }
      String id = new String(header.array(), 0, 4, StandardCharsets.ISO_8859_1);
      long length = Integer.toUnsignedLong(header.getInt(4));
      long content = position + 8;
      if (id.equals("ds64")) {
        lengths = little(content, 16);
      } else if (id.equals("fmt ")) {
        format = little(content, (int) Math.min(length, 40));
        if (format.limit() < 16) {
          throw fault("\"fmt \" chunk at byte %d is too short; %s", position, again());
        }
      } else if (id.equals("data")) {
        if (format == null) {
          throw fault("\"data\" before \"fmt \" at byte %d; %s", position, again());
        }
        boolean isLong = length == 0xffffffffL && lengths != null && lengths.limit() == 16;
        dataStart = content;
        tag = tag(format);
        sampleBytes = (Short.toUnsignedInt(format.getShort(14)) + 7) / 8;
        info = info(format, isLong ? lengths.getLong(8) : length);
        return;
      }
      position = content + length;
      // Some writers leave out the byte that fills up an odd chunk.
      if (length % 2 == 1 && !isChunk(position)) position++;
    }
  }

  /** Within a larger file the length of the RIFF chunk says where this one ends. */
  private long lengthByHeader() throws IOException {
    ByteBuffer header = little(0, 8);
    long riff = header.limit() < 8 ? 0 : Integer.toUnsignedLong(header.getInt(4));
    boolean known = riff > 0 && riff < UNKNOWN_LENGTH;
    return known ? Math.min(file.length(), riff + 8) : file.length();
  }

  private ByteBuffer little(long position, int length) throws IOException {
    return file.readUpTo(position, length).order(ByteOrder.LITTLE_ENDIAN);
  }

  private String again() {
    return conversion("");
  }

  private static int tag(ByteBuffer format) {
    int tag = Short.toUnsignedInt(format.getShort(0));
    boolean extensible = tag == EXTENSIBLE && format.limit() == 40;
    return extensible && Arrays.equals(format.array(), 26, 40, GUID_END, 0, 14)
        ? Short.toUnsignedInt(format.getShort(24))
        : tag;
  }

  private AudioInfo info(ByteBuffer format, long length) throws IOException {
    int channels = Short.toUnsignedInt(format.getShort(2));
    int sampleRate = format.getInt(4);
    int blockBytes = Short.toUnsignedInt(format.getShort(12));
    int bits = Short.toUnsignedInt(format.getShort(14));
    boolean known =
        switch (tag) {
          case PCM -> bits >= 8 && bits <= 32;
          case FLOAT -> bits == 32 || bits == 64;
          case A_LAW, MU_LAW -> bits == 8;
          default -> false;
        };
    if (!known) {
      throw fault(
          "%s; PCM of 8 to 32 bits, float, A-law and mu-law are read; %s", encoding(bits), again());
    }
    if (channels == 0 || sampleRate <= 0) {
      throw fault(
          "damaged header: %d channels, %d Hz; %s",
          channels, Integer.toUnsignedLong(sampleRate), again());
    }
    int frameBytes = channels * sampleBytes;
    if (blockBytes > frameBytes) {
      throw fault(
          "%d bytes for %d samples of %d bits: which of them count is not clear; %s",
          blockBytes, channels, bits, again());
    }
    return new AudioInfo(
        "WAV", encoding(bits), sampleRate, channels, dataBytes(length, frameBytes) / frameBytes);
  }

  /** Bytes of samples: what the header says where that can be true. */
  private long dataBytes(long length, int frameBytes) throws IOException {
    long left = size - dataStart;
    if (length == 0 && left >= frameBytes && !isChunk(dataStart)
        || length < 0
        || length >= UNKNOWN_LENGTH && length > left) {
      return left / frameBytes * frameBytes;
    }
    long end = dataStart + length;
    if (length > left) {
      throw fault(
          "cut short at byte %d: its header promises samples up to byte %d; "
              + "copy or convert it again",
          size, end);
    }
    if (length % frameBytes != 0) {
      throw fault(
          "its samples end at byte %d in the middle of a frame of %d bytes; "
              + "copy or convert it again",
          end, frameBytes);
    }
    if (!isTail(end) && !(length % 2 == 1 && isTail(end + 1))) {
      throw fault(
          "its header ends the samples at byte %d, but %d bytes follow that are no chunk; if they"
              + " are sound, convert it: ffmpeg -ignore_length 1 -i %s -c:a pcm_s16le OUT.wav; if"
              + " not, the same without -ignore_length 1",
          end, size - end, path.getFileName());
    }
    return length;
  }

  /** Whether a chunk that fits into the file starts at a byte. */
  private boolean isChunk(long position) throws IOException {
    ByteBuffer header = little(position, 8);
    if (header.limit() < 8) return false;
    for (int i = 0; i < 4; i++) {
      if (header.get(i) < ' ' || header.get(i) > '~') return false;
    }
    return position + 8 + Integer.toUnsignedLong(header.getInt(4)) <= size;
  }

  /** Whether what follows the samples is no sound: little, chunks, a tag, or all zero. */
  private boolean isTail(long position) throws IOException {
    ByteBuffer start = little(position, 10);
    if (start.limit() < 10 || isChunk(position)) return true;
    int id = start.getInt(0);
    if (id << 8 == 0x47415400 || id << 8 == 0x33444900) return true; // "TAG", "ID3"
    if (id == 0x54455041) return true; // "APETAGEX"
    for (long at = position; at < size; at += 1 << 16) {
      ByteBuffer block = file.readUpTo(at, 1 << 16);
      if (block.mismatch(ByteBuffer.allocate(block.limit())) >= 0) return false;
    }
    return true;
  }

  private String encoding(int bits) {
    return switch (tag) {
      case PCM -> bits + "-bit PCM";
      case FLOAT -> bits + "-bit float";
      case 2 -> "Microsoft ADPCM";
      case A_LAW, MU_LAW -> (bits == 8 ? "" : bits + "-bit ") + (tag == A_LAW ? "A-law" : "mu-law");
      case 0x11 -> "IMA ADPCM";
      case 0x31 -> "GSM 6.10";
      case 0x55 -> "MP3 in WAV";
      default -> "WAV format 0x" + Integer.toHexString(tag);
    };
  }

  @Override
  AudioInfo info() {
    return info;
  }

  @Override
  float[] samples(ReadSettings settings) throws IOException {
    return samples(0, info.frames());
  }

  @Override
  float[] samples(long from, long to) throws IOException {
    var samples = new float[(int) (to - from)];
    long start = dataStart + from * sampleBytes;
    for (int done = 0; done < samples.length; ) {
      int count = Math.min(BLOCK_FRAMES, samples.length - done);
      ByteBuffer block = little(start + (long) done * sampleBytes, count * sampleBytes);
      if (block.limit() < count * sampleBytes) {
        throw fault("became shorter while it was read; copy it again");
      }
      for (int i = done; i < done + count; i++) {
        samples[i] = next(block);
        if (!(Math.abs(samples[i]) <= LOUDEST)) { // NaN is not
          long at = start + (long) i * sampleBytes;
          throw fault("sample %d at byte %d is %s; %s", from + i, at, samples[i], again());
        }
      }
      done += count;
    }
    return samples;
  }

  private float next(ByteBuffer in) {
    return switch (tag) {
      case FLOAT -> sampleBytes == 4 ? in.getFloat() : (float) in.getDouble();
      case A_LAW -> aLaw(in.get()) * 0x1p-15f;
      case MU_LAW -> muLaw(in.get()) * 0x1p-15f;
      default ->
          switch (sampleBytes) {
            case 1 -> ((in.get() & 0xff) - 128) * 0x1p-7f;
            case 2 -> in.getShort() * 0x1p-15f;
            case 3 -> (in.get() & 0xff | in.getShort() << 8) * 0x1p-23f;
            default -> in.getInt() * 0x1p-31f;
          };
    };
  }

  /** 13 bits, times 8: even bits inverted, sign, exponent of 3 bits, mantissa of 4. */
  static int aLaw(int code) {
    int exponent = (code ^ 0x55) >> 4 & 7;
    int value = ((code ^ 0x55) & 15) << 4 | 8;
    if (exponent > 0) value = (value | 0x100) << exponent - 1;
    return (code & 0x80) == 0 ? -value : value;
  }

  /** 14 bits, times 4: all bits inverted, sign, exponent of 3 bits, mantissa of 4. */
  static int muLaw(int code) {
    int value = (((~code & 15) << 3 | 0x84) << (~code >> 4 & 7)) - 0x84;
    return (code & 0x80) == 0 ? -value : value;
  }
}
