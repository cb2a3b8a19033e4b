package slimvox.data;

import slimvox.audio.AudioFiles;
import slimvox.audio.AudioInfo;
import slimvox.audio.ReadSettings;
import slimvox.audio.Samples;

/** Reads the sound of utterances. */
record SoundReader(int sampleRate, ReadSettings settings) {
  /** What the header says of the recording. */
  AudioInfo probe(Utterance.Sound place) {
    return AudioFiles.probe(place.file(), place.offset(), sampleRate, settings);
  }

  /** The sound of an utterance; a whole recording is checked as {@link AudioFiles#read} does. */
  float[] read(Utterance.Sound place) {
    if (!place.isSegment()) {
      return AudioFiles.read(place.file(), place.offset(), sampleRate, settings).samples();
    }
    try (Samples segment = open(place)) {
      return segment.all();
    }
  }

  /** Opens the sound of an utterance; of a segment, its part of the recording. */
  Samples open(Utterance.Sound place) {
    Samples recording = AudioFiles.open(place.file(), place.offset(), sampleRate, settings);
    try {
      long[] range = place.range(recording.length(), sampleRate);
      return new Segment(recording, range[0], range[1] - range[0]);
    } catch (Throwable e) {
      recording.close();
      throw e;
    }
  }

  private record Segment(Samples recording, long start, long length) implements Samples {
    @Override
    public float[] part(long from, long to) {
      return recording.part(start + from, start + to);
    }

    @Override
    public void close() {
      recording.close();
    }
  }
}
