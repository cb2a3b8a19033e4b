package slimvox.audio;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

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
  private static final float FULL_SCALE = 32768;

  public Waveform {
    if (sampleRate <= 0) {
      throw new IllegalArgumentException("sample rate " + sampleRate + " is not positive");
    }
  }

  /** The bytes of a WAV file: 16-bit PCM where that loses nothing, else float32. */
  public byte[] wav() {
    boolean exact = true;
    for (float x : samples) exact &= (short) (x * FULL_SCALE) == x * FULL_SCALE;
    int width = exact ? 2 : 4;
    int bytes = Math.multiplyExact(samples.length, width);
    ByteBuffer out = ByteBuffer.allocate(Math.addExact(44, bytes)).order(ByteOrder.LITTLE_ENDIAN);
    out.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(36 + bytes);
    out.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII)).putInt(16);
    out.putShort((short) (exact ? 1 : 3)).putShort((short) 1);
    out.putInt(sampleRate).putInt(sampleRate * width);
    out.putShort((short) width).putShort((short) (8 * width));
    out.put("data".getBytes(StandardCharsets.US_ASCII)).putInt(bytes);
    for (float x : samples) {
      if (exact) out.putShort((short) (x * FULL_SCALE));
      else out.putFloat(x);
    }
    return out.array();
  }

  /** Length and sample rate. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%.2f s at %,d Hz", (double) samples.length / sampleRate, sampleRate);
  }
}
