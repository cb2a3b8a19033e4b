package slimvox.backend.cpu.onednn;

import static slimvox.backend.DataType.FLOAT32;

import java.util.LinkedHashSet;
import java.util.Set;
import slimvox.backend.Convolution;

/** The geometries of the convolutions of our models, for 80 bins x 200 frames and batch 2. */
public final class ModelConvolutions {
  private static final int BATCH = 2;

  private ModelConvolutions() {}

  /** ResNet34, ResNet50 and DF-ResNet56 at full and at quarter width. */
  public static Set<Convolution> all() {
    Set<Convolution> all = new LinkedHashSet<>();
    for (int planes : new int[] {32, 8}) {
      all.addAll(resNet34(planes));
      all.addAll(resNet50(planes));
      all.addAll(dfResNet56(planes));
    }
    return all;
  }

  public static Set<Convolution> resNet34(int planes) {
    Set<Convolution> all = new LinkedHashSet<>();
    add(all, 1, 1, planes, 3, 1, 1);
    for (int stage = 0; stage < 4; stage++) {
      int in = stage == 0 ? planes : planes << (stage - 1);
      int out = planes << stage;
      int stride = stage == 0 ? 1 : 2;
      int before = stage == 0 ? 1 : 1 << (stage - 1);
      add(all, before, in, out, 3, stride, 1);
      add(all, 1 << stage, out, out, 3, 1, 1);
      if (stage > 0) add(all, before, in, out, 1, stride, 1);
    }
    return all;
  }

  public static Set<Convolution> resNet50(int planes) {
    Set<Convolution> all = new LinkedHashSet<>();
    add(all, 1, 1, planes, 3, 1, 1);
    for (int stage = 0; stage < 4; stage++) {
      int in = stage == 0 ? planes : 4 * planes << (stage - 1);
      int middle = planes << stage;
      int stride = stage == 0 ? 1 : 2;
      int before = stage == 0 ? 1 : 1 << (stage - 1);
      add(all, before, in, middle, 1, 1, 1);
      add(all, before, middle, middle, 3, stride, 1);
      add(all, before, in, 4 * middle, 1, stride, 1);
      add(all, 1 << stage, middle, 4 * middle, 1, 1, 1);
      add(all, 1 << stage, 4 * middle, middle, 1, 1, 1);
      add(all, 1 << stage, middle, middle, 3, 1, 1);
    }
    return all;
  }

  public static Set<Convolution> dfResNet56(int planes) {
    Set<Convolution> all = new LinkedHashSet<>();
    add(all, 1, 1, planes, 3, 1, 1);
    for (int stage = 0; stage < 4; stage++) {
      int in = stage == 0 ? planes : planes << (stage - 1);
      int d = planes << stage;
      int stride = stage == 0 ? 1 : 2;
      add(all, stage == 0 ? 1 : 1 << (stage - 1), in, d, 3, stride, 1);
      add(all, 1 << stage, d, 4 * d, 1, 1, 1);
      add(all, 1 << stage, 4 * d, 4 * d, 3, 1, 4 * d);
      add(all, 1 << stage, 4 * d, d, 1, 1, 1);
    }
    return all;
  }

  private static void add(
      Set<Convolution> all, int reduction, int in, int out, int kernel, int stride, int groups) {
    int pad = kernel / 2;
    all.add(
        new Convolution(
            BATCH,
            80 / reduction,
            200 / reduction,
            in,
            out,
            kernel,
            kernel,
            stride,
            stride,
            pad,
            pad,
            groups,
            FLOAT32));
  }
}
