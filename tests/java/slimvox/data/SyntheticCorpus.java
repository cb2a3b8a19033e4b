package slimvox.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FbankOptions;
import slimvox.audio.SpecAugment;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** Tiny corpora: each speaker hums at a pitch of its own, with noise, each time a little longer. */
final class SyntheticCorpus {
  private SyntheticCorpus() {}

  /** Writes WAV files and lists; utterances are s0-0, s0-1, ... and 0.3 s and longer. */
  static Corpus write(Path folder, int speakers, int utterances) throws Exception {
    StringBuilder scp = new StringBuilder();
    StringBuilder utt2spk = new StringBuilder();
    Random random = new Random(7);
    for (int s = 0; s < speakers; s++) {
      for (int u = 0; u < utterances; u++) {
        String id = "s" + s + "-" + u;
        float[] samples = new float[4800 + 800 * u];
        for (int i = 0; i < samples.length; i++) {
          double tone = Math.sin(2 * Math.PI * (150 + 60 * s) * i / 16000.0);
          samples[i] = (float) (0.3 * tone + 0.01 * random.nextGaussian());
        }
        Path file = folder.resolve("sound").resolve(id + ".wav");
        Files.createDirectories(file.getParent());
        WavWriter.writePcm16(file, new Waveform(samples, 16000));
        scp.append(id).append(" sound/").append(id).append(".wav\n");
        utt2spk.append(id).append(" s").append(s).append('\n');
      }
    }
    Files.writeString(folder.resolve("wav.scp"), scp);
    Files.writeString(folder.resolve("utt2spk"), utt2spk);
    return Corpus.open(folder);
  }

  static FeatureReader reader(Corpus corpus, Double... speeds) {
    return FeatureReader.of(corpus, FbankOptions.wespeaker().withBins(20), List.of(speeds));
  }

  /** Examples as they are, each recording with an equal share. */
  static BatchSettings settings(
      int size, int frames, int join, boolean mean, SpecAugment masks, long seed) {
    return new BatchSettings(
        size, frames, join, mean, masks, seed, null, ChannelSettings.usual(0), 0, false);
  }

  /** All frames of features, in an array of their own. */
  static float[] values(FeatureView view) {
    float[] values = new float[view.frames() * view.bins()];
    view.copy(0, view.frames(), values, 0);
    return values;
  }
}
