package slimvox.backend.packed;

/**
 * The embedding layer as it is stored: y = W x + bias.
 *
 * <p>FLOAT32 stores W; INT8 stores whole numbers q from -127 to 127 with W = scale q, scale = the
 * row's largest size / 127; W1A32 stores signs with W = scale sign, scale = the row's mean size.
 *
 * @param form FLOAT32, INT8 or W1A32
 * @param in values in
 * @param out values of an embedding
 * @param weights out x in; null but for FLOAT32
 * @param codes out x in whole numbers for INT8; rows of {@link SignBits} for W1A32; else null
 * @param scale of each row; null for FLOAT32
 * @param bias of each row
 */
public record PackedHead(
    WeightForm form, int in, int out, float[] weights, byte[] codes, float[] scale, float[] bias) {
  /** The name of the embedding layer, WeSpeaker's. */
  public static final String NAME = "seg_1";

  private static final int LARGEST_CODE = 127;

  public PackedHead {
    boolean real = form == WeightForm.FLOAT32;
    if (form == WeightForm.W1A1
        || real != (weights != null)
        || real != (codes == null)
        || real != (scale == null)) {
      throw new IllegalArgumentException(NAME + ": not what " + form + " is made of");
    }
  }

  /** Packs an out x in matrix. */
  public static PackedHead of(WeightForm form, int in, int out, float[] weights, float[] bias) {
    float[] scale = form == WeightForm.FLOAT32 ? null : new float[out];
    byte[] codes =
        switch (form) {
          case FLOAT32 -> null;
          case INT8 -> round(weights, in, scale);
          default -> signs(weights, in, scale);
        };
    return new PackedHead(form, in, out, codes == null ? weights : null, codes, scale, bias);
  }

  private static byte[] round(float[] weights, int in, float[] scale) {
    byte[] codes = new byte[weights.length];
    for (int row = 0; row < scale.length; row++) {
      float most = 0;
      for (int i = 0; i < in; i++) most = Math.max(most, Math.abs(weights[row * in + i]));
      scale[row] = most / LARGEST_CODE;
      if (most == 0) continue;
      for (int i = row * in; i < (row + 1) * in; i++) {
        codes[i] = (byte) Math.rint(weights[i] * (double) LARGEST_CODE / most);
      }
    }
    return codes;
  }

  private static byte[] signs(float[] weights, int in, float[] scale) {
    for (int row = 0; row < scale.length; row++) {
      double sum = 0;
      for (int i = 0; i < in; i++) sum += Math.abs(weights[row * in + i]);
      scale[row] = (float) (sum / in);
    }
    return SignBits.of(weights, scale.length, in, 1);
  }
}
