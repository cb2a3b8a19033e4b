package slimvox.backend.cpu.onednn;

import slimvox.backend.Convolution;

/** The three passes by their definition, in float64. */
public final class PlainConvolution {
  private PlainConvolution() {}

  private interface Term {
    void add(int x, int weight, int y);
  }

  /** Calls for each product of the sum y[.] += x[.] weight[.]. */
  private static void forEach(Convolution g, Term term) {
    int in = g.inChannels() / g.groups();
    int out = g.outChannels() / g.groups();
    for (int n = 0; n < g.batch(); n++) {
      for (int oh = 0; oh < g.outHeight(); oh++) {
        for (int ow = 0; ow < g.outWidth(); ow++) {
          for (int kh = 0; kh < g.kernelHeight(); kh++) {
            int h = oh * g.strideHeight() - g.padHeight() + kh;
            if (h < 0 || h >= g.height()) continue;
            for (int kw = 0; kw < g.kernelWidth(); kw++) {
              int w = ow * g.strideWidth() - g.padWidth() + kw;
              if (w < 0 || w >= g.width()) continue;
              int pixel = ((n * g.height() + h) * g.width() + w) * g.inChannels();
              int outPixel = ((n * g.outHeight() + oh) * g.outWidth() + ow) * g.outChannels();
              for (int o = 0; o < g.outChannels(); o++) {
                for (int i = 0; i < in; i++) {
                  term.add(
                      pixel + o / out * in + i,
                      ((o * in + i) * g.kernelHeight() + kh) * g.kernelWidth() + kw,
                      outPixel + o);
                }
              }
            }
          }
        }
      }
    }
  }

  public static double[] forward(Convolution g, float[] x, float[] weight) {
    double[] y = new double[Math.toIntExact(g.outShape().size())];
    forEach(g, (i, j, k) -> y[k] += (double) x[i] * weight[j]);
    return y;
  }

  public static double[] backwardData(Convolution g, float[] dy, float[] weight) {
    double[] dx = new double[Math.toIntExact(g.inShape().size())];
    forEach(g, (i, j, k) -> dx[i] += (double) dy[k] * weight[j]);
    return dx;
  }

  public static double[] backwardWeight(Convolution g, float[] x, float[] dy) {
    double[] dweight = new double[Math.toIntExact(g.weightShape().size())];
    forEach(g, (i, j, k) -> dweight[j] += (double) x[i] * dy[k]);
    return dweight;
  }
}
