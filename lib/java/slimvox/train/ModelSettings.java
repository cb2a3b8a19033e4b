package slimvox.train;

import java.util.List;

/**
 * Section {@code model} of a {@link Recipe}: the network.
 *
 * @param name a model of the registry, for example ResNet18, ResNet34, ResNet293; unknown names are
 *     refused where the network is built. Default ResNet34
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
    InvalidSetting.text("model.name", name);
    InvalidSetting.range("model.width", width, 1, 4096);
    InvalidSetting.range("model.embeddingSize", embeddingSize, 1, 65536);
    InvalidSetting.oneOf("model.pooling", pooling, List.of("tstp", "astp"));
    InvalidSetting.range("model.bins", bins, 1, 65536);
  }
}
