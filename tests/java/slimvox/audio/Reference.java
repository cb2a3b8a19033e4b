package slimvox.audio;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** The known answers of tests/data/audio/fbank.safetensors. */
final class Reference {
  static final Path DATA = Path.of("tests/data/audio");

  private final ByteBuffer bytes;
  private final JsonNode header;
  private final int body;

  Reference() {
    try {
      bytes =
          ByteBuffer.wrap(Files.readAllBytes(DATA.resolve("fbank.safetensors")))
              .order(ByteOrder.LITTLE_ENDIAN);
      int size = Math.toIntExact(bytes.getLong(0));
      header = new ObjectMapper().readTree(bytes.array(), 8, size);
      body = 8 + size;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A tensor's values in row-major order, float32 or float64. */
  double[] values(String name) {
    JsonNode entry = header.required(name);
    boolean isDouble = entry.get("dtype").asText().equals("F64");
    int begin = body + entry.get("data_offsets").get(0).asInt();
    int end = body + entry.get("data_offsets").get(1).asInt();
    int width = isDouble ? Double.BYTES : Float.BYTES;
    var values = new double[(end - begin) / width];
    for (int i = 0; i < values.length; i++) {
      int at = begin + i * width;
      values[i] = isDouble ? bytes.getDouble(at) : bytes.getFloat(at);
    }
    return values;
  }

  /** A signal at 16 kHz. */
  Waveform waveform(String signal) {
    double[] values = values(signal + ".samples");
    var samples = new float[values.length];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) values[i];
    }
    return new Waveform(samples, 16000);
  }
}
