package slimvox.audio;

import java.nio.file.Path;
import java.util.List;
import slimvox.storage.Safetensors;

/** The known answers of tests/data/audio. */
final class Reference {
  static final Path DATA = Path.of("tests/data/audio");

  private final Safetensors tensors = Safetensors.read(DATA.resolve("fbank.safetensors"));

  /** A tensor's values in row-major order, float32 or float64. */
  double[] values(String name) {
    return tensors.doubles(name);
  }

  /** Names of the signals. */
  List<String> signals() {
    return tensors.names().stream()
        .filter(n -> n.endsWith(".samples"))
        .map(n -> n.substring(0, n.indexOf('.')))
        .toList();
  }

  /** A signal at 16 kHz. */
  Waveform waveform(String signal) {
    return new Waveform(tensors.floats(signal + ".samples"), 16000);
  }
}
