package slimvox.cli;

import picocli.CommandLine.Option;
import slimvox.embed.WespeakerFile;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/** Options that say what network is meant; null where not given. */
public final class ModelOptions {
  @Option(
      names = "--model",
      paramLabel = "NAME",
      description =
          "ResNet18, ResNet34, ResNet50, ResNet101, ResNet152, ResNet221, ResNet293,"
              + " DF-ResNet56, DF-ResNet110, DF-ResNet179, DF-ResNet233, Gemini-DF-ResNet60,"
              + " Gemini-DF-ResNet114, Gemini-DF-ResNet183 or Gemini-DF-ResNet237.")
  String name;

  @Option(
      names = "--width",
      paramLabel = "C",
      description = "Channels of the first stage. Default 32.")
  Integer width;

  @Option(
      names = "--bins",
      paramLabel = "B",
      description = "Feature values of a frame. Default 80.")
  Integer bins;

  @Option(
      names = "--embedding-size",
      paramLabel = "E",
      description = "Values of an embedding. Default 256.")
  Integer embeddingSize;

  @Option(
      names = "--pooling",
      paramLabel = "P",
      description =
          "tstp (mean and deviation over frames), astp (the same by attention) or gsp (over frames"
              + " and frequencies together).")
  ModelSpec.Pooling pooling;

  /**
   * The network, with the papers' values for what was not given.
   *
   * @throws InputException if no such network is known
   */
  public ModelSpec spec(Subcommand command) {
    if (name == null) {
      throw command.usage("--model is needed; known are " + String.join(", ", Models.names()));
    }
    requireKnown(name);
    requirePositive(command);
    return ModelSpec.of(
        name,
        "width=" + width,
        "bins=" + bins,
        "embeddingSize=" + embeddingSize,
        "pooling=" + Key.text(pooling));
  }

  /** What was given. */
  WespeakerFile.Given given() {
    return new WespeakerFile.Given(name, width, bins, embeddingSize, pooling);
  }

  /** Refuses sizes that no network has. */
  void requirePositive(Subcommand command) {
    if (width != null) command.range("--width", width, 1, 4096);
    if (bins != null) command.range("--bins", bins, 1, 65536);
    if (embeddingSize != null) command.range("--embedding-size", embeddingSize, 1, 65536);
  }

  static void requireKnown(String name) {
    if (!Models.names().contains(name)) {
      throw new InputException(
          "--model %s: no such model; known are %s"
              .formatted(name, String.join(", ", Models.names())));
    }
  }
}
