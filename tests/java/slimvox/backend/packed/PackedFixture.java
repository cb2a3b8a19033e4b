package slimvox.backend.packed;

import java.util.Random;

/** Layers with random contents. */
public final class PackedFixture {
  private PackedFixture() {}

  public static float[] normal(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  public static PackedConvolution convolution(
      WeightForm form,
      int in,
      int out,
      int kernel,
      int stride,
      ChannelActivation.Kind activation,
      long seed) {
    Random random = new Random(seed);
    float[] weights = normal(random, out * in * kernel * kernel);
    boolean signs = form == WeightForm.W1A1;
    return new PackedConvolution(
        new LayerShape("layer", form, in, out, kernel, stride),
        form.isBinary() ? SignBits.of(weights, out, in, kernel) : null,
        form.isBinary() ? null : weights,
        signs ? normal(random, out) : null,
        form == WeightForm.W1A32 ? null : normal(random, out),
        normal(random, out),
        normal(random, out),
        signs ? normal(random, in) : null,
        activation(activation, out, random));
  }

  private static ChannelActivation activation(
      ChannelActivation.Kind kind, int channels, Random random) {
    return switch (kind) {
      case NONE, RELU -> new ChannelActivation(kind, null, null, null);
      case PRELU -> new ChannelActivation(kind, normal(random, channels), null, null);
      case RPRELU ->
          new ChannelActivation(
              kind, normal(random, channels), normal(random, channels), normal(random, channels));
    };
  }

  /** The signs of pixels of so many channels, as words. */
  public static int[] signs(float[] x, int channels, float[] shift) {
    int words = Plane.words(channels);
    int[] signs = new int[x.length / channels * words];
    for (int i = 0; i < x.length; i++) {
      int c = i % channels;
      float z = shift == null ? x[i] : x[i] + shift[c];
      if (z < 0) signs[i / channels * words + c / 32] |= 1 << c % 32;
    }
    return signs;
  }
}
