package slimvox.backend.cpu.packed;

import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.SignBits;

/** A packed convolution in loops, pixel by pixel, with the roundings that its Javadoc states. */
final class PlainConvolution {
  private PlainConvolution() {}

  /** The output H x W x out for x H x W x in. */
  static float[] run(PackedConvolution layer, float[] x, int height, int width, float[] shortcut) {
    LayerShape l = layer.shape();
    int outHeight = l.outLength(height);
    int outWidth = l.outLength(width);
    float[] y = new float[outHeight * outWidth * l.out()];
    for (int i = 0; i < y.length; i++) {
      int o = i % l.out();
      int w = i / l.out() % outWidth;
      int h = i / l.out() / outWidth;
      float s = 0;
      for (int k = 0; k < l.filterSize(); k++) {
        int tap = k / l.in();
        if (l.columnsFirst()) tap = tap % l.kernel() * l.kernel() + tap / l.kernel();
        int row = h * l.stride() + tap / l.kernel() - l.kernel() / 2;
        int column = w * l.stride() + tap % l.kernel() - l.kernel() / 2;
        boolean inside = row >= 0 && row < height && column >= 0 && column < width;
        int c = k % l.in();
        float v = inside ? x[(row * width + column) * l.in() + c] : 0;
        if (l.takesSigns()) {
          float z = !inside ? 1 : layer.inputShift() == null ? v : v + layer.inputShift()[c];
          v = z < 0 ? -1 : 1;
        }
        s = Math.fma(v, weight(layer, o, c, tap), s);
      }
      y[i] = activated(layer.activation(), o, normalized(layer, o, s) + shortcut[i]);
    }
    return y;
  }

  private static float weight(PackedConvolution layer, int o, int c, int tap) {
    LayerShape l = layer.shape();
    if (layer.weights() != null) {
      return layer.weights()[(o * l.in() + c) * l.kernel() * l.kernel() + tap];
    }
    int row = SignBits.rowBytes(l.filterSize());
    return 1 - 2 * SignBits.get(layer.signs(), row, o, tap * l.in() + c);
  }

  private static float normalized(PackedConvolution l, int o, float s) {
    if (l.alpha() != null) s *= l.alpha()[o];
    if (l.mean() != null) s -= l.mean()[o];
    return Math.fma(s, l.scale()[o], l.shift()[o]);
  }

  private static float activated(ChannelActivation a, int o, float y) {
    return switch (a.kind()) {
      case NONE -> y;
      case RELU -> y < 0 ? 0 : y;
      case PRELU -> y > 0 ? y : a.slope()[o] * y;
      case RPRELU -> {
        float z = y + a.before()[o];
        yield (z > 0 ? z : a.slope()[o] * z) + a.after()[o];
      }
    };
  }
}
