package slimvox.data;

import java.lang.ref.SoftReference;
import java.nio.file.Path;
import java.util.Arrays;
import slimvox.audio.AudioFiles;
import slimvox.audio.AudioInfo;
import slimvox.audio.ReadSettings;
import slimvox.audio.Waveform;

/**
 * Reads the sound of utterances.
 *
 * <p>Where a segment cannot be read alone, a thread that has cut it keeps the recording, if the
 * heap allows: the next one is mostly of the same.
 */
final class SoundReader {
  private record Recording(Path file, Waveform sound) {}

  private final int sampleRate;
  private final ReadSettings settings;
  private final ThreadLocal<SoftReference<Recording>> latest = new ThreadLocal<>();

  SoundReader(int sampleRate, ReadSettings settings) {
    this.sampleRate = sampleRate;
    this.settings = settings;
  }

  /** What the header says of the recording. */
  AudioInfo probe(Utterance.Sound place) {
    return AudioFiles.probe(place.file(), sampleRate, settings);
  }

  /** The sound of an utterance; of a segment, its part of the recording. */
  Waveform read(Utterance.Sound place) {
    if (!place.isSegment()) return AudioFiles.read(place.file(), sampleRate, settings);
    return AudioFiles.readPart(
            place.file(), sampleRate, settings, samples -> place.range(samples, sampleRate))
        .orElseGet(() -> cut(place));
  }

  private Waveform cut(Utterance.Sound place) {
    SoftReference<Recording> kept = latest.get();
    Recording recording = kept == null ? null : kept.get();
    if (recording == null || !recording.file().equals(place.file())) {
      latest.remove();
      recording = new Recording(place.file(), AudioFiles.read(place.file(), sampleRate, settings));
      latest.set(new SoftReference<>(recording));
    }
    float[] samples = recording.sound().samples();
    long[] range = place.range(samples.length, sampleRate);
    return new Waveform(Arrays.copyOfRange(samples, (int) range[0], (int) range[1]), sampleRate);
  }
}
