package slimvox.models;

import java.util.Locale;

/**
 * What to build.
 *
 * @param name a registered model, see {@link Models#names()}
 * @param width channels of the first stage, WeSpeaker's {@code m_channels}; 32 in the papers
 * @param bins feature dimension, 80 for log-mel
 * @param embeddingSize dimension of the embedding, 256
 * @param pooling how frames are pooled
 * @param reversal which blocks are reversible
 * @param saving what is computed twice or in slices to save memory; never changes the parameters
 * @param binarization which convolutions are binary
 */
public record ModelSpec(
    String name,
    int width,
    int bins,
    int embeddingSize,
    Pooling pooling,
    Reversal reversal,
    Saving saving,
    Binarization binarization) {
  /** Pooling: how frames, and with GSP frequencies, become one vector. */
  public enum Pooling {
    /** Mean and deviation over frames. */
    TSTP,
    /** The same, weighted by attention. */
    ASTP,
    /** Mean and deviation over frames and frequencies together. */
    GSP;

    /** The name in recipes. */
    public String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public ModelSpec {
    positive("width", width);
    positive("bins", bins);
    positive("embedding size", embeddingSize);
  }

  /** A float network. */
  public ModelSpec(
      String name,
      int width,
      int bins,
      int embeddingSize,
      Pooling pooling,
      Reversal reversal,
      Saving saving) {
    this(name, width, bins, embeddingSize, pooling, reversal, saving, Binarization.NONE);
  }

  /** A network without reversible blocks that keeps all that backward needs. */
  public ModelSpec(String name, int width, int bins, int embeddingSize, Pooling pooling) {
    this(name, width, bins, embeddingSize, pooling, Reversal.NONE, Saving.NONE);
  }

  /** The network of the papers: width 32, 80 bins, 256-dimensional embedding, TSTP. */
  public static ModelSpec of(String name) {
    return new ModelSpec(name, 32, 80, 256, Pooling.TSTP);
  }

  /** Another network with the same settings. */
  public ModelSpec withName(String name) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  /** The same with another width. */
  public ModelSpec withWidth(int width) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  /** The same with another pooling. */
  public ModelSpec withPooling(Pooling pooling) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  /** The same with other blocks made reversible. */
  public ModelSpec with(Reversal reversal) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  /** The same computed another way. */
  public ModelSpec with(Saving saving) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  /** The same with other convolutions binary. */
  public ModelSpec with(Binarization binarization) {
    return new ModelSpec(name, width, bins, embeddingSize, pooling, reversal, saving, binarization);
  }

  private static void positive(String what, int value) {
    if (value < 1) throw new IllegalArgumentException(what + " must be at least 1, not " + value);
  }
}
