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
 * Reads audio files: WAV (PCM, float, A-law, mu-law, RF64 too) and FLAC.
 *
 * <p>The format is told by the file's first bytes, not by its name. Only mono files of the expected
 * sample rate become waveforms, others only where {@link ReadSettings} ask for it: mixing down or
 * resampling behind the user's back would change features without a word, so the error says how to
 * convert the file.
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

  /** Reads a mono file of some sample rate, {@link ReadSettings#DEFAULT otherwise as usual}. */
  public static Waveform read(Path path, int expectedSampleRate) {
    return read(path, expectedSampleRate, ReadSettings.DEFAULT);
  }

  /**
   * Reads a mono file.
   *
   * @param expectedSampleRate samples per second the file must have, or is resampled to
   * @throws InputException if the file is missing, empty, cut short, damaged, not WAV or FLAC, of
   *     an unsupported encoding, not mono, of another sample rate, longer than allowed, or larger
   *     than the memory
   */
  public static Waveform read(Path path, int expectedSampleRate, ReadSettings settings) {
    try (var file = AudioFile.open(path)) {
      int sampleRate = file.info().sampleRate();
      requireUsable(path, file.info(), expectedSampleRate, settings);
      float[] samples = file.samples(settings);
      return new Waveform(
          sampleRate == expectedSampleRate
              ? samples
              : Resampler.between(sampleRate, expectedSampleRate).apply(samples),
          expectedSampleRate);
    } catch (IOException e) {
      throw unreadable(path, e);
    } catch (OutOfMemoryError e) {
      throw InputException.of(
              "%s: does not fit into the Java heap of %d MiB; split it, take fewer threads, or a"
                  + " larger heap: SLIMVOX_XMX=8g",
              path, Runtime.getRuntime().maxMemory() >> 20)
          .because(e);
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

  /** The same, but refuses what {@link #read(Path, int)} would refuse because of it. */
  public static AudioInfo probe(Path path, int expectedSampleRate) {
    return probe(path, expectedSampleRate, ReadSettings.DEFAULT);
  }

  /**
   * Reads the header only and refuses what {@link #read(Path, int, ReadSettings)} would refuse
   * because of it.
   *
   * @param expectedSampleRate samples per second the file must have, or is resampled to
   * @return what is read: its sample rate is the expected one, its length that after resampling
   * @throws InputException as {@link #probe(Path)}, and if the file is not mono, has no samples,
   *     another sample rate or is longer than allowed
   */
  public static AudioInfo probe(Path path, int expectedSampleRate, ReadSettings settings) {
    AudioInfo info = probe(path);
    requireUsable(path, info, expectedSampleRate, settings);
    if (info.sampleRate() == expectedSampleRate) return info;
    long frames =
        Resampler.between(info.sampleRate(), expectedSampleRate).outputSamples(info.frames());
    return new AudioInfo(info.format(), info.encoding(), expectedSampleRate, 1, frames);
  }

  private static void requireUsable(
      Path path, AudioInfo info, int expectedSampleRate, ReadSettings settings) {
    if (info.channels() != 1) {
      throw fault(
          path,
          "%d channels where one is expected; %s",
          info.channels(),
          conversion(path, "-ac 1"));
    }
    if (info.sampleRate() != expectedSampleRate
        && !(settings.resample() && Resampler.isPossible(info.sampleRate(), expectedSampleRate))) {
      throw fault(
          path,
          "%d Hz where %d Hz is expected; %s%s",
          info.sampleRate(),
          expectedSampleRate,
          conversion(path, "-ar " + expectedSampleRate),
          settings.resample() ? "" : "; or set data.resample=true (--resample)");
    }
    if (info.frames() == 0 && info.format().equals("WAV")) {
      throw fault(path, "a WAV header without samples; leave the file out");
    }
    if (info.frames() > settings.mostSamples(info.sampleRate())) {
      throw tooLong(path, info, settings);
    }
  }

  /** The error for a recording that is longer than the settings allow. */
  static InputException tooLong(Path path, AudioInfo info, ReadSettings settings) {
    double perMinute = 60.0 * info.sampleRate();
    return fault(
        path,
        "%.2f minutes or more, at most %.2f are allowed; split it, or raise data.longestMinutes"
            + " (--longest)",
        Math.max(info.frames(), settings.mostSamples(info.sampleRate())) / perMinute,
        settings.mostSamples(info.sampleRate()) / perMinute);
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
    return InputException.at(path, "%s", reason).because(e);
  }

  /** The error for an audio file: its path, a colon and the formatted fault. */
  static InputException fault(Path path, String format, Object... arguments) {
    return InputException.at(path, "%s", String.format(Locale.ROOT, format, arguments));
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

    /**
     * All samples of a mono file, full scale [-1, 1].
     *
     * @throws InputException if they turn out to be more than the settings allow
     */
    float[] samples(ReadSettings settings) throws IOException;

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
      long at = afterTags(file);
      ByteBuffer start = readUpTo(file, at, 36);
      if (file.length() == 0) {
        throw fault(path, "empty (0 bytes); copy or convert it again");
      }
      String text = new String(start.array(), 0, start.limit(), StandardCharsets.ISO_8859_1);
      boolean riff = text.startsWith("RIFF") || text.startsWith("RF64") || text.startsWith("BW64");
      if (riff && at == 0 && (start.limit() < 12 || text.startsWith("WAVE", 8))) {
        return new WavFile(path, file);
      }
      if (text.startsWith("fLaC")) {
        return new FlacFile(path, file, at);
      }
      int shown = Math.min(12, start.limit());
      throw fault(
          path,
          "not a WAV or FLAC file (%s); %s",
          at > 0
              ? guess("ID3", "")
              : guess(text, HexFormat.ofDelimiter(" ").formatHex(start.array(), 0, shown)),
          conversion(path, ""));
    }

    /** The byte after ID3v2 tags, which some programs put before a FLAC stream. */
    private static long afterTags(RandomAccessFile file) throws IOException {
      long position = 0;
      while (true) {
        ByteBuffer tag = readUpTo(file, position, 10);
        if (tag.limit() < 10 || tag.getInt(0) >>> 8 != 0x494433) { // "ID3"
          return position;
        }
        int length = 0; // seven bits a byte
        for (int i = 6; i < 10; i++) {
          length = length << 7 | tag.get(i) & 0x7f;
        }
        position += length + ((tag.get(5) & 0x10) == 0 ? 10 : 20); // a footer repeats the header
      }
    }

    private static String guess(String start, String hex) {
      if (start.startsWith("ID3") || start.startsWith("\u00ff\u00fb")) {
        return "it looks like MP3";
      }
      if (start.startsWith("ftyp", 4)) {
        return "it looks like MP4/M4A";
      }
      if (start.startsWith("OggS")) {
        return start.startsWith("FLAC", 29) ? "it is FLAC within Ogg" : "it looks like Ogg";
      }
      if (start.startsWith("NIST_1A")) {
        return "it looks like NIST SPHERE";
      }
      if (start.startsWith("RIFX")) {
        return "it is RIFX";
      }
      if (start.startsWith("riff\u002e\u0091\u00cf\u0011")) {
        return "it is Wave64";
      }
      if (start.startsWith("AIF", 8)) {
        return "it is AIFF";
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
