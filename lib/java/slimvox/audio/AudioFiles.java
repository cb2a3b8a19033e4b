package slimvox.audio;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.LongFunction;
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
    return read(path, SAMPLE_RATE, ReadSettings.DEFAULT);
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
    return samples(
        path,
        file -> {
          int sampleRate = file.info().sampleRate();
          requireUsable(file, expectedSampleRate, settings);
          float[] samples = file.samples(settings);
          if (sampleRate != expectedSampleRate) {
            samples = Resampler.between(sampleRate, expectedSampleRate).apply(samples);
          }
          return new Waveform(samples, expectedSampleRate);
        });
  }

  /**
   * Reads a part of a mono file without what comes before it, where the file lets itself be entered
   * there: a WAV file, or a FLAC file with a seek table, neither resampled.
   *
   * @param range first sample and last + 1 of the part, by the number of samples of the file
   * @return empty where only the whole file can be read
   * @throws InputException as {@link #read(Path, int, ReadSettings)}
   */
  public static Optional<Waveform> readPart(
      Path path, int expectedSampleRate, ReadSettings settings, LongFunction<long[]> range) {
    return samples(
        path,
        file -> {
          requireUsable(file, expectedSampleRate, settings);
          AudioInfo info = file.info();
          if (info.sampleRate() != expectedSampleRate || !file.hasEntries()) {
            return Optional.empty();
          }
          long[] part = range.apply(info.frames());
          return Optional.of(new Waveform(file.samples(part[0], part[1]), expectedSampleRate));
        });
  }

  private static <T> T samples(Path path, Reading<T> reading) {
    try {
      return with(path, reading);
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
    return with(path, AudioFile::info);
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
    return with(
        path,
        file -> {
          AudioInfo info = file.info();
          requireUsable(file, expectedSampleRate, settings);
          if (info.sampleRate() == expectedSampleRate) return info;
          Resampler resampler = Resampler.between(info.sampleRate(), expectedSampleRate);
          long frames = resampler.outputSamples(info.frames());
          return new AudioInfo(info.format(), info.encoding(), expectedSampleRate, 1, frames);
        });
  }

  private interface Reading<T> {
    T of(AudioFile file) throws IOException;
  }

  private static <T> T with(Path path, Reading<T> reading) {
    try {
      // Not a channel: an interrupt (a notebook's stop button) would close that while it is read.
      path.getFileSystem().provider().checkAccess(path, AccessMode.READ);
      try (var file = new RandomAccessFile(path.toFile(), "r")) {
        return reading.of(AudioFile.open(path, file));
      }
    } catch (IOException e) {
      String reason =
          switch (e) {
            case NoSuchFileException _ -> "no such file; check the path and the corpus's list";
            case AccessDeniedException _ -> "permission denied; make the file readable";
            default ->
                Files.isDirectory(path)
                    ? "a folder, not an audio file; name a WAV or FLAC file"
                    : "cannot be read (" + e.getMessage() + "); check the disk";
          };
      throw new InputException(path + ": " + reason, e);
    }
  }

  private static void requireUsable(AudioFile file, int expectedSampleRate, ReadSettings settings) {
    AudioInfo info = file.info();
    if (info.channels() != 1) {
      throw file.fault(
          "%d channels where one is expected; %s", info.channels(), file.conversion("-ac 1"));
    }
    if (info.sampleRate() != expectedSampleRate
        && !(settings.resample() && Resampler.isPossible(info.sampleRate(), expectedSampleRate))) {
      throw file.fault(
          "%d Hz where %d Hz is expected; %s%s",
          info.sampleRate(),
          expectedSampleRate,
          file.conversion("-ar " + expectedSampleRate),
          settings.resample() ? "" : "; or set data.resample=true (--resample)");
    }
    if (info.frames() == 0 && info.format().equals("WAV")) {
      throw file.fault("a WAV header without samples; leave the file out");
    }
    if (info.frames() > settings.mostSamples(info.sampleRate())) throw file.tooLong(settings);
  }
}
