package slimvox.data;

import java.lang.ref.SoftReference;
import java.nio.file.Path;
import java.util.Arrays;
import slimvox.audio.AudioFiles;
import slimvox.audio.Waveform;

/**
 * Reads the sound of utterances.
 *
 * <p>A thread that has cut a segment keeps the recording, if the heap allows: the next one is
 * mostly of the same.
 */
final class SoundReader {
  private record Recording(Path file, Waveform sound) {}

  private final int sampleRate;
  private final ThreadLocal<SoftReference<Recording>> latest = new ThreadLocal<>();

  SoundReader(int sampleRate) {
    this.sampleRate = sampleRate;
  }

  /** The sound of an utterance; of a segment, its part of the recording. */
  Waveform read(Utterance.Sound place) {
    if (!place.isSegment()) return AudioFiles.read(place.file(), sampleRate);
    SoftReference<Recording> kept = latest.get();
    Recording recording = kept == null ? null : kept.get();
    if (recording == null || !recording.file().equals(place.file())) {
      latest.remove();
      recording = new Recording(place.file(), AudioFiles.read(place.file(), sampleRate));
      latest.set(new SoftReference<>(recording));
    }
    float[] samples = recording.sound().samples();
    long[] range = place.range(samples.length, sampleRate);
    return new Waveform(Arrays.copyOfRange(samples, (int) range[0], (int) range[1]), sampleRate);
  }
}
