package slimvox.audio;

/**
 * What the header of an audio file says.
 *
 * @param format file format: WAV or FLAC
 * @param encoding how samples are stored, for example "16-bit PCM"
 * @param sampleRate samples per second and channel
 * @param channels 1 for mono
 * @param frames samples per channel; 0 where a FLAC header leaves it open
 */
public record AudioInfo(String format, String encoding, int sampleRate, int channels, long frames) {

  /** Length in seconds: frames / sampleRate. */
  public double durationSeconds() {
    return (double) frames / sampleRate;
  }
}
