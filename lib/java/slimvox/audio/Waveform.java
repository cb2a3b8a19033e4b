package slimvox.audio;

/**
 * A single-channel recording.
 *
 * <p>The array is not copied: whoever builds the record hands it over. Two waveforms are equal only
 * if they share it.
 *
 * @param samples amplitudes, full scale is [-1, 1]
 * @param sampleRate samples per second
 */
public record Waveform(float[] samples, int sampleRate) {
  public Waveform {
    if (sampleRate <= 0) {
      throw new IllegalArgumentException("sample rate " + sampleRate + " is not positive");
    }
  }
}
