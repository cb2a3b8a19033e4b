package slimvox.audio;

import static slimvox.audio.AudioFiles.fault;
import static slimvox.audio.AudioFiles.readUpTo;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import org.jflac.FLACDecoder;
import org.jflac.FrameListener;
import org.jflac.frame.Frame;
import org.jflac.metadata.Metadata;
import slimvox.storage.InputException;

/**
 * A FLAC file: metadata blocks, the first of which is STREAMINFO, then frames (RFC 9639).
 *
 * <p>jflac decodes the frames. It silences frames with a wrong checksum and skips what it cannot
 * read; here each of these is an error, and so is a file with fewer samples than its header says or
 * with another MD5 sum. Metadata other than STREAMINFO is stepped over and never shown to jflac.
 */
final class FlacFile implements AudioFiles.AudioFile {
  private static final int STREAMINFO_BYTES = 34;

  /** "fLaC", a block header and STREAMINFO: what jflac gets to see before the frames. */
  private static final int PREFIX_BYTES = 4 + 4 + STREAMINFO_BYTES;

  /** jflac counts bits in an int. */
  private static final int MAX_BYTES = 255 << 20;

  private final Path path;
  private final RandomAccessFile file;
  private final AudioInfo info;
  private final int bits;
  private final byte[] streamInfo;
  private final long framesStart;

  FlacFile(Path path, RandomAccessFile file) throws IOException {
    this.path = path;
    this.file = file;
    ByteBuffer start = readUpTo(file, 0, PREFIX_BYTES);
    if (start.limit() < PREFIX_BYTES) {
      throw fault(path, "cut short at byte %d, inside the header; copy it again", start.limit());
    }
    if ((start.get(4) & 0x7f) != 0 || (start.getInt(4) & 0xffffff) != STREAMINFO_BYTES) {
      throw fault(path, "damaged header: no STREAMINFO block at byte 4; copy it again");
    }
    streamInfo = Arrays.copyOfRange(start.array(), 8, PREFIX_BYTES);
    // 20 bits sample rate, 3 bits channels - 1, 5 bits bits per sample - 1, 36 bits samples
    long packed = start.getLong(18);
    int sampleRate = (int) (packed >>> 44);
    int channels = (int) (packed >>> 41 & 7) + 1;
    bits = (int) (packed >>> 36 & 31) + 1;
    if (sampleRate == 0 || bits < 4) {
      throw fault(
          path, "damaged header: %d Hz, %d bits per sample; copy it again", sampleRate, bits);
    }
    info = new AudioInfo("FLAC", bits + "-bit FLAC", sampleRate, channels, packed & 0xfffffffffL);
    framesStart = skipMetadata();
  }

  private long skipMetadata() throws IOException {
    long position = 4;
    while (true) {
      ByteBuffer header = readUpTo(file, position, 4);
      if (header.limit() < 4) {
        throw fault(
            path, "cut short at byte %d, inside the metadata; copy it again", file.length());
      }
      position += 4 + (header.getInt(0) & 0xffffff);
      if (header.get(0) < 0) {
        if (position >= file.length()) {
          throw fault(
              path, "cut short at byte %d, before the first frame; copy it again", file.length());
        }
        return position;
      }
    }
  }

  @Override
  public AudioInfo info() {
    return info;
  }

  @Override
  public float[] samples() throws IOException {
    long size = file.length();
    if (size > MAX_BYTES) {
      throw fault(path, "%d bytes, over 255 MiB (hours of speech); split it", size);
    }
    ByteBuffer frames = readUpTo(file, framesStart, (int) (size - framesStart));
    var stream = ByteBuffer.allocate(PREFIX_BYTES + frames.limit());
    stream.put(new byte[] {'f', 'L', 'a', 'C'}).putInt(0x80 << 24 | STREAMINFO_BYTES);
    stream.put(streamInfo).put(frames);
    var decoder = new FLACDecoder(new ByteArrayInputStream(stream.array()));
    try {
      return decode(decoder, stream.limit());
    } catch (InputException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      // jflac trusts lengths inside a frame before it has seen the frame's checksum.
      throw damaged(decoder, "frame cannot be decoded");
    }
  }

  private float[] decode(FLACDecoder decoder, int length) throws IOException {
    decoder.addFrameListener(
        new FrameListener() {
          @Override
          public void processMetadata(Metadata metadata) {}

          @Override
          public void processFrame(Frame frame) {}

          @Override
          public void processError(String message) {
            // At the end of the file the number of samples tells what is missing.
            if (!message.contains("EOFException")) {
              throw damaged(decoder, message);
            }
          }
        });
    decoder.readStreamInfo();
    var samples = new float[(int) Math.min(info.frames(), 16L * length)];
    MessageDigest md5 = md5();
    int decoded = 0;
    int end = 0;
    while (info.frames() == 0 || decoded < info.frames()) {
      Frame frame = decoder.readNextFrame();
      if (frame == null) {
        break;
      }
      if (frame.header.channels != 1 || frame.header.bitsPerSample != bits) {
        throw damaged(decoder, "frame and header disagree");
      }
      int block = frame.header.blockSize;
      if (decoded + block > samples.length) {
        samples = Arrays.copyOf(samples, Math.max(2 * samples.length, decoded + block));
      }
      int[] values = decoder.getChannelData()[0].getOutput();
      float scale = 1f / (1L << bits - 1);
      for (int i = 0; i < block; i++) {
        samples[decoded + i] = values[i] * scale;
      }
      update(md5, values, block);
      decoded += block;
      end = decoder.getBitInputStream().getTotalBytesRead();
    }
    if (info.frames() == 0 && end < length) {
      throw fault(path, "cut short at byte %d, inside a frame; copy it again", file.length());
    }
    if (info.frames() > 0 && decoded != info.frames()) {
      throw fault(
          path,
          "cut short at byte %d: %d samples of the %d that its header promises; copy it again",
          file.length(),
          decoded,
          info.frames());
    }
    byte[] expected = Arrays.copyOfRange(streamInfo, 18, 34);
    boolean hasSum = !Arrays.equals(expected, new byte[16]);
    if (hasSum && !Arrays.equals(expected, md5.digest())) {
      throw fault(path, "its samples do not have the MD5 sum in its header; copy it again");
    }
    return decoded == samples.length ? samples : Arrays.copyOf(samples, decoded);
  }

  private InputException damaged(FLACDecoder decoder, String reason) {
    return fault(
        path,
        "damaged near byte %d (%s); copy it again",
        decoder.getTotalBytesRead() - PREFIX_BYTES + framesStart,
        reason);
  }

  /** The header's sum is over the samples as little-endian integers of whole bytes. */
  private void update(MessageDigest md5, int[] values, int count) {
    int width = (bits + 7) / 8;
    var bytes = new byte[count * width];
    for (int i = 0, at = 0; i < count; i++) {
      for (int b = 0; b < width; b++) {
        bytes[at++] = (byte) (values[i] >> 8 * b);
      }
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

  @Override
  public void close() throws IOException {
    file.close();
  }
}
