package slimvox.audio;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Locale;
import slimvox.storage.InputException;

/**
 * Reads audio files: WAV with 16-bit PCM or 32-bit float samples, and FLAC.
 *
 * <p>The format is told by the file's first bytes, not by its name. Only mono files of the expected
 * sample rate become waveforms: mixing down or resampling behind the user's back would change
 * features without a word, so the error says how to convert the file.
 *
 * <p>Every fault of a file is an {@link InputException} whose message is one line that starts with
 * its path.
 */
public final class AudioFiles {
  /** The sample rate of the published systems, and what {@link #read(Path)} expects. */
  public static final int SAMPLE_RATE = 16000;

  private AudioFiles() {}

  /** Reads a mono file of 16,000 samples a second. */
  public static Waveform read(Path path) {
    return read(path, SAMPLE_RATE);
  }

  /**
   * Reads a mono file.
   *
   * @param expectedSampleRate samples per second the file must have
   * @throws InputException if the file is missing, empty, cut short, damaged, not WAV or FLAC, of
   *     an unsupported encoding, not mono, or of another sample rate
   */
  public static Waveform read(Path path, int expectedSampleRate) {
    try (var file = AudioFile.open(path)) {
      requireUsable(path, file.info(), expectedSampleRate);
      return new Waveform(file.samples(), expectedSampleRate);
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /**
   * Reads the header only; any sample rate and number of channels will do.
   *
   * <p>A WAV file that is shorter than its header says is found here too; damage inside FLAC frames
   * only shows when the file is read.
   *
   * @throws InputException if the file is missing, empty, cut short, not WAV or FLAC, or of an
   *     unsupported encoding
   */
  public static AudioInfo probe(Path path) {
    try (var file = AudioFile.open(path)) {
      return file.info();
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /**
   * Reads the header only and refuses what {@link #read(Path, int)} would refuse because of it.
   *
   * @param expectedSampleRate samples per second the file must have
   * @throws InputException as {@link #probe(Path)}, and if the file is not mono, has no samples or
   *     another sample rate
   */
  public static AudioInfo probe(Path path, int expectedSampleRate) {
    AudioInfo info = probe(path);
    requireUsable(path, info, expectedSampleRate);
    return info;
  }

  private static void requireUsable(Path path, AudioInfo info, int expectedSampleRate) {
    if (info.channels() != 1) {
      throw fault(
          path,
          "%d channels where one is expected; %s",
          info.channels(),
          conversion(path, "-ac 1"));
    }
    if (info.sampleRate() != expectedSampleRate) {
      throw fault(
          path,
          "%d Hz where %d Hz is expected; %s",
          info.sampleRate(),
          expectedSampleRate,
          conversion(path, "-ar " + expectedSampleRate));
    }
    if (info.frames() == 0 && info.format().equals("WAV")) {
      throw fault(path, "a WAV header without samples; leave the file out");
    }
  }

  private static InputException unreadable(Path path, IOException e) {
    String reason =
        switch (e) {
          case NoSuchFileException _ -> "no such file; check the path and the corpus's list";
          case AccessDeniedException _ -> "permission denied; make the file readable";
          default ->
              Files.isDirectory(path)
                  ? "a folder, not an audio file; name a WAV or FLAC file"
                  : "cannot be read (" + e.getMessage() + "); check the disk";
        };
    return new InputException(path + ": " + reason, e);
  }

  /** The error for an audio file: its path, a colon and the formatted fault. */
  static InputException fault(Path path, String format, Object... arguments) {
    return new InputException(path + ": " + String.format(Locale.ROOT, format, arguments));
  }

  /** The command that makes a readable file of this one. */
  static String conversion(Path path, String options) {
    return String.format(
        Locale.ROOT,
        "convert it: ffmpeg -i %s %s -c:a pcm_s16le OUT.wav",
        path.getFileName(),
        options.isEmpty() ? "-ac 1 -ar " + SAMPLE_RATE : options);
  }

  /** An open file whose header has been read and found to make sense. */
  interface AudioFile extends AutoCloseable {
    AudioInfo info();

    /** All samples of a mono file, full scale [-1, 1]. */
    float[] samples() throws IOException;

    @Override
    void close() throws IOException;

    /** Opens a file of either format. */
    static AudioFile open(Path path) throws IOException {
      // Not a channel: an interrupt (a notebook's stop button) would close that while it is read.
      path.getFileSystem().provider().checkAccess(path, AccessMode.READ);
      var file = new RandomAccessFile(path.toFile(), "r");
      try {
        return open(path, file);
      } catch (Throwable e) {
        file.close();
        throw e;
      }
    }

    private static AudioFile open(Path path, RandomAccessFile file) throws IOException {
      ByteBuffer start = readUpTo(file, 0, 12);
      if (start.limit() == 0) {
        throw fault(path, "empty (0 bytes); copy or convert it again");
      }
      String text = new String(start.array(), 0, start.limit(), StandardCharsets.ISO_8859_1);
      if (text.startsWith("RIFF") && (start.limit() < 12 || text.startsWith("WAVE", 8))) {
        return new WavFile(path, file);
      }
      if (text.startsWith("fLaC")) {
        return new FlacFile(path, file);
      }
      throw fault(
          path,
          "not a WAV or FLAC file (%s); %s",
          guess(text, HexFormat.ofDelimiter(" ").formatHex(start.array(), 0, start.limit())),
          conversion(path, ""));
    }

    private static String guess(String start, String hex) {
      if (start.startsWith("ID3") || start.startsWith("\u00ff\u00fb")) {
        return "it looks like MP3";
      }
      if (start.startsWith("ftyp", 4)) {
        return "it looks like MP4/M4A";
      }
      if (start.startsWith("OggS")) {
        return "it looks like Ogg";
      }
      if (start.startsWith("NIST_1A")) {
        return "it looks like NIST SPHERE";
      }
      if (start.startsWith("RF64") || start.startsWith("RIFX")) {
        return "it is " + start.substring(0, 4);
      }
      return "it starts with the bytes " + hex;
    }
  }

  /** Up to {@code length} bytes from {@code position} on, fewer where the file ends. */
  static ByteBuffer readUpTo(RandomAccessFile file, long position, int length) throws IOException {
    var bytes = new byte[length];
    file.seek(position);
    int filled = 0;
    while (filled < length) {
      int read = file.read(bytes, filled, length - filled);
      if (read < 0) {
        break;
      }
      filled += read;
    }
    return ByteBuffer.wrap(bytes, 0, filled);
  }
}
