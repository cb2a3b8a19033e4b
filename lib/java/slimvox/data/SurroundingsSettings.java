package slimvox.data;

import java.util.List;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/**
 * Noises and rooms that training examples are heard with, as WeSpeaker draws them ({@link
 * Surroundings}).
 *
 * <p>Section {@code data.surroundings} of recipes.
 */
public record SurroundingsSettings(
    @Setting(
            value =
                "List of noises, lines KIND/NAME PATH of the kinds noise, speech and music, which"
                    + " have levels of their own (data-scripts/musan.py writes it). null: none.",
            omitDefault = true)
        String noises,
    @Setting(
            value =
                "List of impulse responses of rooms, lines NAME PATH (data-scripts/rirs.py writes"
                    + " it). null: none.",
            omitDefault = true)
        String rooms,
    @Setting(
            value =
                "Share of the training examples with noise or in a room, one half each where both"
                    + " are given.",
            byDefault = "0.6",
            range = "0..1",
            omitDefault = true)
        double probability,
    @Setting(
            value = "Noise is at least and at most so many dB below the speech.",
            byDefault = "[0, 15]",
            range = "-40..100",
            omitDefault = true)
        List<Double> noiseSnrDb,
    @Setting(
            value = "Other speech is at least and at most so many dB below.",
            byDefault = "[10, 30]",
            range = "-40..100",
            omitDefault = true)
        List<Double> speechSnrDb,
    @Setting(
            value = "Music is at least and at most so many dB below.",
            byDefault = "[5, 15]",
            range = "-40..100",
            omitDefault = true)
        List<Double> musicSnrDb,
    @Setting(
            value =
                "Recordings of the kind speech that speak at once, at most; their number is drawn"
                    + " from 1 on. WeSpeaker has 1, Kaldi's recipe 3 to 7.",
            byDefault = "1",
            range = "1..100",
            omitDefault = true)
        int babbleSpeakers) {
  public SurroundingsSettings {
    for (List<Double> range : List.of(noiseSnrDb, speechSnrDb, musicSnrDb)) {
      if (range.size() == 2 && range.getFirst() <= range.getLast()) continue;
      throw new InvalidSetting(
          "data.surroundings", range + " is not possible; the least and the most are needed");
    }
  }

  /** Whether some examples are with noise or in a room. */
  public boolean isOn() {
    return (noises != null || rooms != null) && probability > 0;
  }
}
