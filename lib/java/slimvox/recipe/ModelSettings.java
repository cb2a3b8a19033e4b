package slimvox.recipe;

import slimvox.models.ModelSpec;
import slimvox.models.Reversal;
import slimvox.models.Saving;
import slimvox.settings.Setting;

/** Section {@code model} of a {@link Recipe}: the network. */
public record ModelSettings(
    @Setting(
            value =
                "The network: ResNet18, ResNet34, ResNet50, ResNet101, ResNet152, ResNet221,"
                    + " ResNet293, DF-ResNet56, DF-ResNet110, DF-ResNet179, DF-ResNet233,"
                    + " Gemini-DF-ResNet60, Gemini-DF-ResNet114, Gemini-DF-ResNet183 or"
                    + " Gemini-DF-ResNet237.",
            byDefault = "ResNet34",
            flag = "--model")
        String name,
    @Setting(
            value = "Channels of the first stage; later ones have 2, 4 and 8 times as many.",
            byDefault = "32",
            range = "1..4096",
            flag = "--width")
        int width,
    @Setting(
            value = "Values of an embedding.",
            byDefault = "256",
            range = "1..65536",
            flag = "--embedding-size")
        int embeddingSize,
    @Setting(
            value =
                "How frames become one vector: tstp (mean and deviation over frames), astp (the"
                    + " same by attention) or gsp (over frames and frequencies together).",
            byDefault = "tstp",
            flag = "--pooling")
        ModelSpec.Pooling pooling,
    @Setting(
            value =
                "Feature values of a frame: log-mel bins, or the dimension of the corpus' own"
                    + " features.",
            byDefault = "80",
            range = "1..65536",
            flag = "--bins")
        int bins,
    @Setting(
            value =
                "Which blocks are reversible: none, partial (type I: blocks that keep their shape)"
                    + " or full (type II: all, and down-sampling by space to depth).",
            byDefault = "none",
            flag = "--reversible")
        Reversal.Kind reversible,
    @Setting(
            value =
                "What becomes of a block: a (one unit on half the channels each), b (two such units"
                    + " with half the inner width) or c (one function of the block's own width).",
            byDefault = "c",
            flag = "--units")
        Reversal.Units units,
    @Setting(
            value =
                "Reversible blocks normalize before each convolution (pre) or behind it (post).",
            byDefault = "pre",
            flag = "--order")
        Reversal.Order order,
    @Setting(
            value = "Reversible streams in float, or fixed point, which is undone to the bit.",
            byDefault = "float",
            flag = "--streams")
        Saving.Streams streams,
    @Setting(
            value = "none, or checkpoint: of each ordinary block only the input is kept.",
            byDefault = "none",
            flag = "--recompute")
        Saving.Recompute recompute,
    @Setting(
            value =
                "Inner channels of a reversible block that are in memory at a time in the first"
                    + " stage, four times as many in each following one; 0: all.",
            byDefault = "0",
            range = "0..65536",
            flag = "--slice")
        int slice,
    @Setting(
            value = "Keep the outputs of convolutions only; rebuild normalization and ReLU.",
            byDefault = "false",
            flag = "--rebuild")
        boolean rebuild,
    @Setting(
            value =
                "Outputs of inner convolutions of reversible blocks that are kept instead of"
                    + " computed again, narrow ones first: as many as need no more bytes than so"
                    + " many streams.",
            byDefault = "0",
            range = "0..65536",
            flag = "--keep")
        int keep,
    BinarySettings binary) {

  /** What {@link slimvox.models.Models#build} needs. */
  public ModelSpec spec() {
    return new ModelSpec(
        name,
        width,
        bins,
        embeddingSize,
        pooling,
        new Reversal(reversible, units, order),
        new Saving(recompute, slice, rebuild, streams).withKeep(keep),
        binary.binarization());
  }
}
