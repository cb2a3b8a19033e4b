package slimvox.audio;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
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
    return read(path, 0, expectedSampleRate, settings);
  }

  /** The same of a file within a larger one, such as of a tar archive, from byte {@code start}. */
  public static Waveform read(
      Path path, long start, int expectedSampleRate, ReadSettings settings) {
    return with(
        path,
        start,
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
   * Opens a mono file, of which parts are read; it is to be closed.
   *
   * <p>Of a WAV file no more is read than a part is, of a FLAC file a little before it is decoded,
   * and a resampled one is as if all of it had been. A FLAC file whose header leaves its length
   * open is decoded whole.
   *
   * @param start first byte of the file within a larger one; 0: there is none around it
   * @throws InputException as {@link #read(Path, int, ReadSettings)}
   */
  public static Samples open(Path path, long start, int expectedSampleRate, ReadSettings settings) {
    return naming(
        path,
        () -> {
          AudioFile file = opened(path, start);
          try {
            requireUsable(file, expectedSampleRate, settings);
            Samples samples = new FileSamples(file);
            if (file.info().frames() == 0) {
              samples = Samples.of(file.samples(settings));
              file.close();
            }
            int sampleRate = file.info().sampleRate();
            return sampleRate == expectedSampleRate
                ? samples
                : Resampler.between(sampleRate, expectedSampleRate).over(samples);
          } catch (Throwable e) {
            file.close();
            throw e;
          }
        });
  }

  private record FileSamples(AudioFile file) implements Samples {
    @Override
    public long length() {
      return file.info().frames();
    }

    @Override
    public float[] part(long from, long to) {
      return naming(file.path, () -> file.samples(from, to));
    }

    @Override
    public void close() {
      naming(
          file.path,
          () -> {
            file.close();
            return null;
          });
    }
  }

  /**
   * Reads the header only and refuses what {@link #read(Path, int, ReadSettings)} would refuse
   * because of it, such as a WAV file that is shorter than its header says; damage inside FLAC
   * frames only shows when the file is read.
   *
   * @param start first byte of the file within a larger one; 0: there is none around it
   * @param expectedSampleRate samples per second the file must have, or is resampled to
   * @return what is read: its sample rate is the expected one, its length that after resampling
   * @throws InputException if the file is missing, empty, cut short, not WAV or FLAC, of an
   *     unsupported encoding, not mono, has no samples, another sample rate or is longer than
   *     allowed
   */
  public static AudioInfo probe(
      Path path, long start, int expectedSampleRate, ReadSettings settings) {
    return with(
        path,
        start,
        file -> {
          AudioInfo info = file.info();
          requireUsable(file, expectedSampleRate, settings);
          if (info.sampleRate() == expectedSampleRate) return info;
          Resampler resampler = Resampler.between(info.sampleRate(), expectedSampleRate);
          long frames = resampler.outputSamples(info.frames());
          return new AudioInfo(info.format(), info.encoding(), expectedSampleRate, 1, frames);
        });
  }

  /** What is read of an open file. */
  interface Reading<T> {
    T of(AudioFile file) throws IOException;
  }

  private interface Work<T> {
    T done() throws IOException;
  }

  static <T> T with(Path path, long start, Reading<T> reading) {
    return naming(
        path,
        () -> {
          try (AudioFile file = opened(path, start)) {
            return reading.of(file);
          }
        });
  }

  private static AudioFile opened(Path path, long start) throws IOException {
    // Not a channel: an interrupt (a notebook's stop button) would close that while it is read.
    path.getFileSystem().provider().checkAccess(path, AccessMode.READ);
    var file = new RandomAccessFile(path.toFile(), "r");
    try {
      return AudioFile.open(path, new FileBytes(path, file, start));
    } catch (Throwable e) {
      file.close();
      throw e;
    }
  }

  /** Names the file in what goes wrong. */
  private static <T> T naming(Path path, Work<T> work) {
    try {
      return work.done();
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
    } catch (OutOfMemoryError e) {
      throw InputException.of(
              "%s: does not fit into the Java heap of %d MiB; split it, take fewer threads, or a"
                  + " larger heap: SLIMVOX_XMX=8g",
              path, Runtime.getRuntime().maxMemory() >> 20)
          .because(e);
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
