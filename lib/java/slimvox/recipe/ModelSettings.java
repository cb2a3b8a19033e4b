package slimvox.recipe;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Reversal;
import slimvox.models.Saving;

/**
 * Section {@code model} of a {@link Recipe}: the network.
 *
 * @param name one of {@link Models#names()}, for example ResNet18. Default ResNet34
 * @param width channels of the first stage (WeSpeaker's m_channels); later stages have 2, 4 and 8
 *     times as many. Default 32
 * @param embeddingSize values of an embedding. Default 256
 * @param pooling how frames become one vector: {@code tstp} (mean and standard deviation) or {@code
 *     astp} (the same weighted by attention), both over frames, or {@code gsp} (mean and deviation
 *     over frames and frequencies together). Default tstp
 * @param bins feature values of one frame: log-mel bins, or the dimension of the corpus' own
 *     features. Default 80
 * @param reversible which blocks are reversible: {@code none}, {@code partial} (type I) or {@code
 *     full} (type II). Default none
 * @param units how a block becomes reversible: {@code a}, {@code b} or {@code c}, see {@link
 *     Reversal.Units}. Default c
 * @param order where reversible blocks normalize: {@code pre} (before each convolution) or {@code
 *     post}. Default pre
 * @param streams reversible streams in {@code float} or {@code fixed} point; fixed undoes a forward
 *     to the bit. Default float
 * @param recompute {@code none}, or {@code checkpoint}: keep the blocks' inputs only and compute
 *     them again. Default none
 * @param slice inner channels of a reversible block that are in memory at a time in the first
 *     stage, four times as many in each following one; 0: all. Default 0
 * @param rebuild keep the outputs of convolutions only, and rebuild batch normalization and ReLU
 *     from them. Default false
 * @param keep outputs of inner convolutions of reversible blocks that are kept instead of computed
 *     again, narrow ones first: as many as need no more bytes than so many streams. Default 0
 * @param binary which convolutions are binary
 */
public record ModelSettings(
    String name,
    int width,
    int embeddingSize,
    String pooling,
    int bins,
    String reversible,
    String units,
    String order,
    String streams,
    String recompute,
    int slice,
    boolean rebuild,
    int keep,
    BinarySettings binary) {
  public ModelSettings {
    InvalidSetting.oneOf("model.name", name, Models.names());
    InvalidSetting.range("model.width", width, 1, 4096);
    InvalidSetting.range("model.embeddingSize", embeddingSize, 1, 65536);
    InvalidSetting.oneOf(
        "model.pooling",
        pooling,
        Arrays.stream(ModelSpec.Pooling.values()).map(ModelSpec.Pooling::key).toList());
    InvalidSetting.range("model.bins", bins, 1, 65536);
    InvalidSetting.oneOf("model.reversible", reversible, keys(Reversal.Kind.values()));
    InvalidSetting.oneOf("model.units", units, keys(Reversal.Units.values()));
    InvalidSetting.oneOf("model.order", order, keys(Reversal.Order.values()));
    InvalidSetting.oneOf("model.streams", streams, keys(Saving.Streams.values()));
    InvalidSetting.oneOf("model.recompute", recompute, keys(Saving.Recompute.values()));
    InvalidSetting.range("model.slice", slice, 0, 65536);
    InvalidSetting.range("model.keep", keep, 0, 65536);
    if (binary == null) binary = BinarySettings.NONE;
  }

  private static List<String> keys(Enum<?>[] constants) {
    return Arrays.stream(constants).map(Reversal::key).toList();
  }

  private static String constant(String key) {
    return key.toUpperCase(Locale.ROOT);
  }

  /** What {@link Models#build} needs. */
  public ModelSpec spec() {
    return new ModelSpec(
        name,
        width,
        bins,
        embeddingSize,
        ModelSpec.Pooling.valueOf(constant(pooling)),
        new Reversal(
            Reversal.Kind.valueOf(constant(reversible)),
            Reversal.Units.valueOf(constant(units)),
            Reversal.Order.valueOf(constant(order))),
        new Saving(
                Saving.Recompute.valueOf(constant(recompute)),
                slice,
                rebuild,
                Saving.Streams.valueOf(constant(streams)))
            .withKeep(keep),
        binary.binarization());
  }
}
