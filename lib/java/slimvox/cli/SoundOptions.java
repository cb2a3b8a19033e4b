package slimvox.cli;

import picocli.CommandLine.Option;
import slimvox.audio.ReadSettings;

/** Options on how recordings are read, as data.resample and data.longestMinutes of recipes. */
final class SoundOptions {
  @Option(
      names = "--resample",
      description = "Resample recordings of other rates than 16 kHz. Default: they are refused.")
  private boolean resample;

  @Option(
      names = "--longest",
      paramLabel = "MINUTES",
      description = "Longest recording; longer ones are refused. Default 120.")
  private Double longest;

  boolean areGiven() {
    return resample || longest != null;
  }

  ReadSettings settings(Subcommand command) {
    double minutes = longest == null ? ReadSettings.LONGEST_MINUTES : longest;
    if (!(minutes > 0))
      throw command.usage("--longest " + minutes + " is not possible; give minutes above 0");
    return new ReadSettings(resample, minutes);
  }
}
