package slimvox.audio;

import slimvox.settings.Declared;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/**
 * How much recording channels differ, which are drawn anew for each training example ({@link
 * Channel}).
 *
 * <p>Section {@code data.channel} of recipes. Features are then computed from sound for each
 * example.
 */
public record ChannelSettings(
    @Setting(
            value = "Share of the training examples that are behind a channel of their own.",
            byDefault = "0",
            range = "0..1",
            omitDefault = true)
        double probability,
    @Setting(
            value = "Response of the microphone: a smooth curve within +- so many dB.",
            byDefault = "6",
            range = "0..40",
            omitDefault = true)
        double responseDb,
    @Setting(
            value = "Spectrum of the background noise: a smooth curve within +- so many dB.",
            byDefault = "10",
            range = "0..40",
            omitDefault = true)
        double noiseDb,
    @Setting(
            value = "The noise is at least so many dB below the speech.",
            byDefault = "5",
            range = "-40..100",
            omitDefault = true)
        double leastSnrDb,
    @Setting(
            value = "The noise is at most so many dB below the speech.",
            byDefault = "20",
            range = "-40..100",
            omitDefault = true)
        double mostSnrDb,
    @Setting(
            value = "Gain, within +- so many dB.",
            byDefault = "6",
            range = "0..40",
            omitDefault = true)
        double gainDb) {
  public ChannelSettings {
    if (leastSnrDb > mostSnrDb) {
      throw new InvalidSetting(
          "data.channel.leastSnrDb",
          "%s is more than data.channel.mostSnrDb, %s".formatted(leastSnrDb, mostSnrDb));
    }
  }

  private static final Declared<ChannelSettings> SETTINGS = Declared.of(ChannelSettings.class);

  /**
   * Channels as evaluation has them, whatever a network was trained with: the defaults; 0: none in
   * training.
   */
  public static ChannelSettings usual(double probability) {
    return SETTINGS.with(SETTINGS.defaults(), "probability=" + probability);
  }

  /** Whether some examples are behind a channel. */
  public boolean isOn() {
    return probability > 0;
  }
}
