package slimvox.audio;

/**
 * How {@link AudioFiles} reads recordings.
 *
 * @param resample whether a file of another sample rate is resampled ({@link Resampler}); if not it
 *     is refused
 * @param longestMinutes longest recording; a longer one is refused before its samples take memory
 */
public record ReadSettings(boolean resample, double longestMinutes) {
  /** Longest recording where nothing is said: two hours, 440 MiB of samples at 16 kHz. */
  public static final double LONGEST_MINUTES = 120;

  /** No resampling, up to two hours. */
  public static final ReadSettings DEFAULT = new ReadSettings(false, LONGEST_MINUTES);

  public ReadSettings {
    if (!(longestMinutes > 0)) {
      throw new IllegalArgumentException("longest recording of " + longestMinutes + " minutes");
    }
  }

  /** Most samples that a recording may have, which an array holds. */
  int mostSamples(int sampleRate) {
    return (int) Math.min(longestMinutes * 60 * sampleRate, 1 << 30);
  }
}
