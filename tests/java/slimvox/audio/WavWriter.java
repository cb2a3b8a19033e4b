package slimvox.audio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes mono WAV files. */
public final class WavWriter {
  private WavWriter() {}

  /**
   * Writes 16-bit PCM: round(32768 x), limited to [-32768, 32767].
   *
   * <p>What {@link AudioFiles} read from a 16-bit file comes out as the same samples.
   */
  public static void writePcm16(Path path, Waveform waveform) throws IOException {
    float[] samples = waveform.samples();
    var out = header(1, 16, waveform, 0);
    for (float sample : samples) {
      out.putShort((short) Math.clamp(Math.round(sample * 32768f), -32768, 32767));
    }
    Files.write(path, out.array());
  }

  /** Writes 32-bit float samples as they are. */
  public static void writeFloat32(Path path, Waveform waveform) throws IOException {
    // Formats other than PCM carry a "fact" chunk with the number of samples.
    var out = header(3, 32, waveform, 12);
    for (float sample : waveform.samples()) out.putFloat(sample);
    Files.write(path, out.array());
  }

  private static ByteBuffer header(int tag, int bits, Waveform waveform, int factBytes) {
    int frameBytes = bits / 8;
    int dataBytes = Math.multiplyExact(waveform.samples().length, frameBytes);
    var out = ByteBuffer.allocate(Math.addExact(44 + factBytes, dataBytes));
    out.order(ByteOrder.LITTLE_ENDIAN);
    put(out, "RIFF").putInt(36 + factBytes + dataBytes);
    put(out, "WAVE");
    put(out, "fmt ").putInt(16).putShort((short) tag).putShort((short) 1);
    out.putInt(waveform.sampleRate()).putInt(waveform.sampleRate() * frameBytes);
    out.putShort((short) frameBytes).putShort((short) bits);
    if (factBytes > 0) put(out, "fact").putInt(4).putInt(waveform.samples().length);
    put(out, "data").putInt(dataBytes);
    return out;
  }

  private static ByteBuffer put(ByteBuffer out, String id) {
    return out.put(id.getBytes(StandardCharsets.ISO_8859_1));
  }
}
