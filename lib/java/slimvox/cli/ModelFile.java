package slimvox.cli;

import java.nio.file.Path;
import slimvox.audio.FrontEnd;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.binary.PackedModel;
import slimvox.binary.PackedNetwork;
import slimvox.embed.Embedder;
import slimvox.embed.PackedEncoder;
import slimvox.embed.SpeakerEncoder;
import slimvox.embed.WespeakerFile;
import slimvox.models.ModelSpec;
import slimvox.models.Network;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/**
 * A network out of a file, and what it hears: a checkpoint, or a file of WeSpeaker's names, whose
 * network the options may say more about.
 */
record ModelFile(Network network, FrontEnd frontEnd) {
  /**
   * Opens a file.
   *
   * @param featureBins bins of the features to come; 0 if not known
   * @throws InputException if it holds no network, or not the one that the options say
   */
  static ModelFile open(Path file, DeclaredOptions flags, int featureBins, Backend backend) {
    if (!Safetensors.read(file).metadata().containsKey("recipe")) {
      WespeakerFile weights = WespeakerFile.open(file);
      return new ModelFile(
          weights.network(flags.given("model."), featureBins, backend), FrontEnd.USUAL);
    }
    Recipe recipe = CheckpointFile.recipe(file);
    requireSame(file, flags, recipe.model());
    return new ModelFile(CheckpointFile.network(file, backend), recipe.data().frontEnd());
  }

  /** Opens a file for embedding: one of those, or a packed network. */
  static SpeakerEncoder encoder(
      Path file, DeclaredOptions flags, int featureBins, Backend backend) {
    DataType activations = flags.recipe().run().activations();
    if (PackedModel.isPacked(file)) {
      if (activations != DataType.FLOAT32) {
        throw InputException.at(file, "is packed in one bit; leave out --precision");
      }
      PackedModel packed = PackedModel.read(file);
      requireSame(file, flags, packed.spec());
      return new PackedEncoder(new PackedNetwork(backend, packed), FrontEnd.of(packed.origin()));
    }
    ModelFile model = open(file, flags, featureBins, backend);
    return Embedder.owning(model.network().withActivations(activations)).hearing(model.frontEnd());
  }

  /** Refuses options that say another network than the one that a file is known to hold. */
  static void requireSame(Path file, DeclaredOptions flags, ModelSpec own) {
    for (var given : flags.given("model.").entrySet()) {
      Object is = own.settings().get(given.getKey());
      if (given.getValue().equals(is)) continue;
      throw InputException.at(
          file,
          "the checkpoint is of another model: %s %s, not %s; leave the option out",
          flags.flag(given.getKey()),
          is,
          given.getValue());
    }
  }
}
