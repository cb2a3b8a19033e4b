package slimvox.data;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import slimvox.storage.InputException;

/**
 * One recording of one speaker, or a segment of one.
 *
 * @param id the name that trial lists use; without white space
 * @param speaker who speaks
 * @param word what is said, where the corpus tells (Kaldi-like file {@code utt2word})
 * @param source where the sound or its features lie
 */
public record Utterance(String id, String speaker, Optional<String> word, Source source) {
  /** The file of the sound or of the features. */
  public Path file() {
    return source.file();
  }

  /** Where an utterance lies. */
  public sealed interface Source {
    /** The file; an ark file holds many utterances. */
    Path file();

    /** Rises with the place in the file. */
    double place();
  }

  /**
   * A WAV or FLAC file, or a segment of one.
   *
   * @param offset the file's first byte in a larger one, such as a tar archive; 0: it is no part
   * @param start of the segment, in seconds
   * @param end in seconds; {@link #WHOLE}: where the recording ends
   */
  public record Sound(Path file, long offset, double start, double end) implements Source {
    /** The end of a segment that goes on to the recording's end. */
    public static final double WHOLE = Double.POSITIVE_INFINITY;

    /** As much as a segment may go beyond the recording: Kaldi's extract-segments allows that. */
    private static final double MOST_OVERSHOOT = 0.5;

    /** A whole recording. */
    public Sound(Path file) {
      this(file, 0, 0, WHOLE);
    }

    @Override
    public double place() {
      return offset > 0 ? offset : start;
    }

    /** Whether it is less than the whole file. */
    public boolean isSegment() {
      return start > 0 || end < WHOLE;
    }

    /**
     * First and last sample + 1 in a recording of so many samples, in whole samples as Kaldi cuts.
     *
     * @throws InputException if the segment lies beyond the recording
     */
    long[] range(long samples, int sampleRate) {
      long from = (long) (start * sampleRate);
      long to = end == WHOLE ? samples : (long) (end * sampleRate);
      if (from >= samples && isSegment() || to - samples > MOST_OVERSHOOT * sampleRate) {
        throw InputException.of(
            "%s: has %.2f s, the segment is from %.2f s %s; correct segments",
            file,
            (double) samples / sampleRate,
            start,
            end == WHOLE ? "on" : String.format(Locale.ROOT, "to %.2f s", end));
      }
      return new long[] {from, Math.min(to, samples)};
    }
  }

  /**
   * A feature matrix in a Kaldi ark file.
   *
   * @param offset the matrix's first byte (the zero before {@code B})
   */
  public record Ark(Path file, long offset) implements Source {
    @Override
    public double place() {
      return offset;
    }

    /** What is wrong with the matrix: {@code FILE, byte OFFSET: MESSAGE}. */
    InputException fault(String format, Object... values) {
      return InputException.at(file + ", byte " + offset, format, values);
    }
  }
}
