package slimvox.models;

import java.util.List;
import java.util.Map;
import slimvox.backend.DataType;
import slimvox.nn.ActivationCheckpoint;
import slimvox.nn.Layer;
import slimvox.nn.Nonlinearity;
import slimvox.settings.Declared;
import slimvox.settings.Setting;

/**
 * What network to build, and how it is computed: section {@code model} of recipes.
 *
 * <p>{@code recompute}, {@code slice}, {@code rebuild}, {@code keep} and {@code streams} save
 * memory; they never change the parameters. A reversible block works on streams x1 and x2: y1 = x1
 * + F(x2), y2 = x2 + G(y1). See {@code RevNet} for the widths that {@code units} give.
 */
public record ModelSpec(
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
        Pooling pooling,
    @Setting(
            value = "What follows a normalization in a ResNet's blocks: relu, or gelu (tanh form).",
            byDefault = "relu",
            omitDefault = true)
        Nonlinearity.Function activation,
    @Setting(
            value =
                "Ordinary blocks that keep their shape normalize before each convolution, as"
                    + " reversible ones do: what these change besides being reversible.",
            byDefault = "false",
            omitDefault = true)
        boolean preActivation,
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
        Reversibility reversible,
    @Setting(
            value =
                "What becomes of a block: a (one unit on half the channels each), b (two such units"
                    + " with half the inner width) or c (one function of the block's own width).",
            byDefault = "c",
            flag = "--units")
        Units units,
    @Setting(
            value =
                "Reversible blocks normalize before each convolution (pre) or behind it (post).",
            byDefault = "pre",
            flag = "--order")
        Order order,
    @Setting(
            value =
                "Reversible streams in float, or in fixed point, which is undone to the bit: fixed"
                    + " (4 bytes a value), fixed16 (2, for training on the CPU) or fixed8 (1).",
            byDefault = "float",
            flag = "--streams")
        StreamArithmetic streams,
    @Setting(
            value = "none, or checkpoint: of each ordinary block only the input is kept.",
            byDefault = "none",
            flag = "--recompute")
        Recompute recompute,
    @Setting(
            value =
                "Inner channels of a reversible block that are in memory at a time in the first"
                    + " stage, and as many bytes of them in later ones; 0: all.",
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
    Binarization binary) {
  /** Pooling: how frames, and with GSP frequencies, become one vector. */
  public enum Pooling {
    /** Mean and deviation over frames. */
    TSTP,
    /** The same, weighted by attention. */
    ASTP,
    /** Mean and deviation over frames and frequencies together. */
    GSP
  }

  /** Which blocks are reversible. */
  public enum Reversibility {
    /** None: the vanilla network. */
    NONE,
    /** Type I: blocks that keep their shape; strided ones are ordinary, and kept. */
    PARTIAL,
    /** Type II: all; down-sampling is space to depth. Only the last state is kept. */
    FULL
  }

  /** What takes the place of a vanilla block: parameters and multiply-adds stay equal. */
  public enum Units {
    /** One unit (F and G) on half the channels each, with the vanilla block's inner width. */
    A,
    /** Two units on half the channels each, with half the inner width. */
    B,
    /** One function: streams are as wide as the vanilla block, F and G are a block each. */
    C
  }

  /** Where F and G normalize. */
  public enum Order {
    /** Batch normalization and ReLU before each convolution; F ends with a convolution. */
    PRE,
    /** Batch normalization behind each convolution, as in the vanilla block. */
    POST
  }

  /** How streams are held. */
  public enum StreamArithmetic {
    /** As float32: the inverse is exact up to rounding. */
    FLOAT,
    /** As multiples of a fixed step: the inverse is exact to the bit. */
    FIXED,
    /** As 16-bit whole numbers of a step found from the data. */
    FIXED16,
    /** As 8-bit whole numbers of a step found from the data. */
    FIXED8;

    /** The type of the streams in training. */
    public DataType type() {
      return switch (this) {
        case FLOAT, FIXED -> DataType.FLOAT32;
        case FIXED16 -> DataType.FIXED16;
        case FIXED8 -> DataType.FIXED8;
      };
    }
  }

  /** What is kept of an ordinary block. */
  public enum Recompute {
    /** All that backward needs. */
    NONE,
    /** Its input: it is computed again before backward. */
    CHECKPOINT
  }

  private static final Declared<ModelSpec> SETTINGS = Declared.of(ModelSpec.class);

  /**
   * A network with the papers' settings (width 32, 80 bins, 256-dimensional embedding, TSTP) but
   * for those given, as in {@code ModelSpec.of("ResNet18", "width=8", "reversible=full")}.
   *
   * @param name a registered model, see {@link Models#names()}
   * @throws slimvox.storage.InputException if a setting cannot be used
   */
  public static ModelSpec of(String name, String... settings) {
    return SETTINGS.defaults().with("name=" + name).with(settings);
  }

  /**
   * The same with other settings, keys as below {@code model} in recipes.
   *
   * @throws slimvox.storage.InputException if a setting cannot be used
   */
  public ModelSpec with(String... settings) {
    return SETTINGS.with(this, settings);
  }

  /** The values of all settings that are not null, by key. */
  public Map<String, Object> settings() {
    return SETTINGS.values(this);
  }

  /** The settings {@code model.key=value} that make another network of this one. */
  public List<String> difference(ModelSpec other) {
    return SETTINGS.difference(this, other).stream().map(s -> "model." + s).toList();
  }

  /** What is binary, with what suits the scheme in the place of what was not set. */
  public Binarization binarization() {
    return binary.resolved();
  }

  /** Whether it has blocks that are computed backwards. */
  public boolean hasReversibleBlocks() {
    return reversible != Reversibility.NONE;
  }

  /** The network with the same parameters, to rounding, that keeps all that backward needs. */
  ModelSpec vanilla() {
    return with(
        "reversible=null",
        "units=null",
        "order=null",
        "streams=null",
        "recompute=null",
        "slice=null",
        "rebuild=null",
        "keep=null");
  }

  /** An ordinary block, which is kept or computed again. */
  Layer kept(Layer block) {
    return recompute == Recompute.CHECKPOINT ? new ActivationCheckpoint(block) : block;
  }
}
