package slimvox.embed;

import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.binary.PackedNetwork;
import slimvox.models.ModelSpec;

/** A packed network as an encoder, one utterance at a time; closes the network. */
public record PackedEncoder(PackedNetwork network, FrontEnd frontEnd) implements SpeakerEncoder {
  @Override
  public ModelSpec spec() {
    return network.spec();
  }

  @Override
  public int fewestFrames() {
    return network.fewestFrames();
  }

  @Override
  public float[] embed(Features features) {
    return network.embed(features);
  }

  @Override
  public void close() {
    network.close();
  }
}
