package slimvox.audio;

import static slimvox.audio.AudioFiles.conversion;
import static slimvox.audio.AudioFiles.fault;
import static slimvox.audio.AudioFiles.readUpTo;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A RIFF/WAVE file: a "fmt " chunk, then other chunks in any order, then a "data" chunk.
 *
 * <p>Chunks of odd length are followed by a padding byte. The plain format tags and
 * WAVE_FORMAT_EXTENSIBLE, whose sub-format starts with the same tags, are understood.
 */
final class WavFile implements AudioFiles.AudioFile {
  private static final int PCM = 1;
  private static final int FLOAT = 3;
  private static final int EXTENSIBLE = 0xfffe;

  /** From this declared length on, the writer (to a pipe) did not know the length. */
  private static final long UNKNOWN_LENGTH = 0x7ffff000L;

  private final Path path;
  private final RandomAccessFile file;
  private final AudioInfo info;
  private final boolean isFloat;
  private final long dataStart;
  private final int dataBytes;

  WavFile(Path path, RandomAccessFile file) throws IOException {
    this.path = path;
    this.file = file;
    long size = file.length();
    ByteBuffer format = null;
    long position = 12;
    while (true) {
      ByteBuffer header = readUpTo(file, position, 8).order(ByteOrder.LITTLE_ENDIAN);
      if (header.limit() < 8) {
        throw fault(
            path,
            "cut short at byte %d, before a complete %s chunk; copy or convert it again",
            size,
            format == null ? "\"fmt \"" : "\"data\"");
      }
      String id = new String(header.array(), 0, 4, StandardCharsets.ISO_8859_1);
      long length = Integer.toUnsignedLong(header.getInt(4));
      long content = position + 8;
      if (id.equals("fmt ")) {
        format = readUpTo(file, content, (int) Math.min(length, 40));
        format.order(ByteOrder.LITTLE_ENDIAN);
        if (format.limit() < 16) {
          throw fault(path, "\"fmt \" chunk at byte %d is too short; %s", position, again());
        }
      } else if (id.equals("data")) {
        if (format == null) {
          throw fault(path, "\"data\" before \"fmt \" at byte %d; %s", position, again());
        }
        requireComplete(length, content, size);
        dataStart = content;
        dataBytes = (int) length;
        break;
      }
      position = content + length + (length & 1);
    }
    isFloat = tag(format) == FLOAT;
    info = info(format);
  }

  private String again() {
    return conversion(path, "");
  }

  private void requireComplete(long length, long content, long size) {
    if (content + length > size) {
      if (length >= UNKNOWN_LENGTH) {
        throw fault(
            path,
            "no length in the \"data\" header at byte %d (written to a pipe); %s",
            content - 8,
            again());
      }
      throw fault(
          path,
          "cut short at byte %d: its header promises samples up to byte %d; "
              + "copy or convert it again",
          size,
          content + length);
    }
    if (length > Integer.MAX_VALUE - 8) {
      throw fault(path, "%d bytes of samples, over 2 GiB; split it", length);
    }
  }

  private static int tag(ByteBuffer format) {
    int tag = Short.toUnsignedInt(format.getShort(0));
    return tag == EXTENSIBLE && format.limit() >= 26
        ? Short.toUnsignedInt(format.getShort(24))
        : tag;
  }

  private AudioInfo info(ByteBuffer format) {
    int tag = tag(format);
    int channels = Short.toUnsignedInt(format.getShort(2));
    int sampleRate = format.getInt(4);
    int bits = Short.toUnsignedInt(format.getShort(14));
    if (!(tag == PCM && bits == 16) && !(tag == FLOAT && bits == 32)) {
      throw fault(
          path,
          "%s; only 16-bit PCM and 32-bit float WAV are read; %s",
          encoding(tag, bits),
          again());
    }
    if (channels == 0 || sampleRate <= 0) {
      throw fault(
          path,
          "damaged header: %d channels, %d Hz; %s",
          channels,
          Integer.toUnsignedLong(sampleRate),
          again());
    }
    int frameBytes = channels * bits / 8;
    if (dataBytes % frameBytes != 0) {
      throw fault(
          path,
          "its samples end at byte %d in the middle of a frame of %d bytes; "
              + "copy or convert it again",
          dataStart + dataBytes,
          frameBytes);
    }
    return new AudioInfo("WAV", encoding(tag, bits), sampleRate, channels, dataBytes / frameBytes);
  }

  private static String encoding(int tag, int bits) {
    return switch (tag) {
      case PCM -> bits + "-bit PCM";
      case FLOAT -> bits + "-bit float";
      case 2 -> "Microsoft ADPCM";
      case 6 -> "A-law";
      case 7 -> "mu-law";
      case 0x11 -> "IMA ADPCM";
      case 0x31 -> "GSM 6.10";
      case 0x55 -> "MP3 in WAV";
      default -> "WAV format 0x" + Integer.toHexString(tag);
    };
  }

  @Override
  public AudioInfo info() {
    return info;
  }

  @Override
  public float[] samples() throws IOException {
    ByteBuffer data = readUpTo(file, dataStart, dataBytes);
    if (data.limit() < dataBytes) {
      throw fault(path, "became shorter while it was read; copy it again");
    }
    var samples = new float[(int) info.frames()];
    if (isFloat) {
      data.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(samples);
      for (int i = 0; i < samples.length; i++) {
        if (!Float.isFinite(samples[i])) {
          throw fault(
              path, "sample %d at byte %d is %s; %s", i, dataStart + 4L * i, samples[i], again());
        }
      }
    } else {
      var words = data.order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
      for (int i = 0; i < samples.length; i++) {
        samples[i] = words.get(i) * 0x1p-15f;
      }
    }
    return samples;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
