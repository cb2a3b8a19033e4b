package slimvox.train;

import java.util.Arrays;
import java.util.Locale;
import slimvox.models.ModelSpec;
import slimvox.models.Models;

/**
 * Section {@code model} of a {@link Recipe}: the network.
 *
 * @param name one of {@link Models#names()}, for example ResNet18. Default ResNet34
 * @param width channels of the first stage (WeSpeaker's m_channels); later stages have 2, 4 and 8
 *     times as many. Default 32
 * @param embeddingSize values of an embedding. Default 256
 * @param pooling how frames become one vector: {@code tstp} (mean and standard deviation) or {@code
 *     astp} (the same weighted by attention). Default tstp
 * @param bins feature values of one frame: log-mel bins, or the dimension of the corpus' own
 *     features. Default 80
 */
public record ModelSettings(String name, int width, int embeddingSize, String pooling, int bins) {
  public ModelSettings {
    InvalidSetting.oneOf("model.name", name, Models.names());
    InvalidSetting.range("model.width", width, 1, 4096);
    InvalidSetting.range("model.embeddingSize", embeddingSize, 1, 65536);
    InvalidSetting.oneOf(
        "model.pooling",
        pooling,
        Arrays.stream(ModelSpec.Pooling.values()).map(ModelSpec.Pooling::key).toList());
    InvalidSetting.range("model.bins", bins, 1, 65536);
  }

  /** What {@link Models#build} needs. */
  public ModelSpec spec() {
    ModelSpec.Pooling form = ModelSpec.Pooling.valueOf(pooling.toUpperCase(Locale.ROOT));
    return new ModelSpec(name, width, bins, embeddingSize, form);
  }
}
