package slimvox.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import slimvox.audio.AudioFiles;
import slimvox.audio.AudioInfo;
import slimvox.audio.Augmentation;
import slimvox.audio.ReadSettings;
import slimvox.audio.Samples;
import slimvox.storage.InputException;

/**
 * Noises and rooms that training examples are heard with, drawn as WeSpeaker does.
 *
 * <p>With a probability an example is in a room or with a noise, at equal chances where there are
 * both: a room of the list, or a random piece of a noise of the list at a signal-to-noise ratio
 * drawn uniformly from the range of its kind. Of speech the pieces of several recordings may be
 * added up first, as Kaldi's recipes do (babble). Files are read each time; nothing is kept.
 *
 * <p>Source: WeSpeaker, wespeaker/dataset/processor.py, add_reverb_noise.
 */
public final class Surroundings {
  /** Kinds of noise, by the first letters of their names. */
  private enum Kind {
    NOISE,
    SPEECH,
    MUSIC
  }

  private record Noise(Kind kind, Path file) {}

  private final SurroundingsSettings settings;
  private final List<Noise> noises = new ArrayList<>();
  private final List<Noise> speech;
  private final List<Path> rooms = new ArrayList<>();

  /**
   * Reads the lists and the header of each file; a relative path starts at its list's folder.
   *
   * @throws InputException naming the line and the first file that is missing, cut short, empty or
   *     not mono of 16 kHz, or a kind that there is not
   */
  public Surroundings(SurroundingsSettings settings) {
    this.settings = settings;
    for (CorpusFiles.Entry entry : entries(settings.noises(), "KIND/NAME PATH")) {
      noises.add(new Noise(kind(entry), usable(entry)));
    }
    for (CorpusFiles.Entry entry : entries(settings.rooms(), "NAME PATH")) rooms.add(usable(entry));
    speech = noises.stream().filter(noise -> noise.kind == Kind.SPEECH).toList();
  }

  private static List<CorpusFiles.Entry> entries(String file, String form) {
    if (file == null) return List.of();
    Path list = Path.of(file);
    var entries = CorpusFiles.entries(list, form).values();
    if (entries.isEmpty()) throw InputException.at(list, "empty; a line is %s", form);
    return List.copyOf(entries);
  }

  private static Kind kind(CorpusFiles.Entry entry) {
    for (Kind kind : Kind.values()) {
      if (entry.key().startsWith(kind.name().toLowerCase(Locale.ROOT))) return kind;
    }
    throw entry.fault(
        "%s is of no kind; a name starts with noise, speech or music, which tells its level",
        entry.key());
  }

  private static Path usable(CorpusFiles.Entry entry) {
    Path file = entry.file().toAbsolutePath().resolveSibling(entry.value()).normalize();
    try {
      AudioInfo info = AudioFiles.probe(file, 0, AudioFiles.SAMPLE_RATE, ReadSettings.DEFAULT);
      if (info.frames() > 0) return file;
    } catch (InputException e) {
      throw entry.fault("%s", e.getMessage()).because(e);
    }
    throw entry.fault("%s: no samples; leave it out", file);
  }

  /** Speech as it is heard, in an array of its own or the same. */
  float[] heard(float[] samples, SplittableRandom random) {
    if (random.nextDouble() >= settings.probability()) return samples;
    boolean inRoom = noises.isEmpty() || !rooms.isEmpty() && random.nextBoolean();
    if (inRoom) {
      Path room = rooms.get(random.nextInt(rooms.size()));
      float[] response = AudioFiles.read(room).samples();
      requireSound(response, room);
      return Augmentation.reverberate(samples, response);
    }
    Noise noise = noises.get(random.nextInt(noises.size()));
    float[] added = crop(noise, samples.length, random);
    if (noise.kind == Kind.SPEECH && settings.babbleSpeakers() > 1) {
      for (int more = random.nextInt(settings.babbleSpeakers()); more > 0; more--) {
        float[] other = crop(speech.get(random.nextInt(speech.size())), samples.length, random);
        for (int i = 0; i < added.length; i++) added[i] += other[i];
      }
    }
    List<Double> range =
        switch (noise.kind) {
          case NOISE -> settings.noiseSnrDb();
          case SPEECH -> settings.speechSnrDb();
          case MUSIC -> settings.musicSnrDb();
        };
    double least = range.getFirst();
    double snr = least + (range.getLast() - least) * random.nextDouble();
    return Augmentation.addNoise(samples, added, snr);
  }

  private static float[] crop(Noise noise, int length, SplittableRandom random) {
    try (Samples sound =
        AudioFiles.open(noise.file, 0, AudioFiles.SAMPLE_RATE, ReadSettings.DEFAULT)) {
      float[] crop = Augmentation.crop(sound, length, random);
      // Silence in a noise adds nothing; one that is nothing else is a fault.
      if (Augmentation.energy(crop) == 0) requireSound(sound.all(), noise.file);
      return crop;
    }
  }

  private static void requireSound(float[] samples, Path file) {
    if (Augmentation.energy(samples) > 0) return;
    throw InputException.at(file, "silent; leave it out of the list");
  }
}
