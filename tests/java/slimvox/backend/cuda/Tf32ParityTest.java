package slimvox.backend.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Convolution;
import slimvox.backend.Device;
import slimvox.backend.Tensor;

/**
 * Convolutions by tensor cores against oneDNN: of factors that TF32 holds exactly, so that only the
 * order of float32 sums differs.
 */
class Tf32ParityTest extends ParityFixture {
  @Override
  List<Device> played() {
    HostKernels.load();
    return List.of(HostDevice.open(false, true), HostDevice.open(true, true));
  }

  static Stream<Convolution> geometries() {
    return ConvolutionParityTest.geometries().filter(g -> g.groups() == 1);
  }

  /** Values with 10 bits of fraction. */
  private float[] exact(long count) {
    float[] values = normal(count);
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(Float.floatToRawIntBits(values[i]) & ~0x1fff);
    }
    return values;
  }

  @ParameterizedTest
  @MethodSource("geometries")
  void allPasses(Convolution g) {
    float[] x = exact(g.inShape().size());
    float[] w = exact(g.weightShape().size());
    float[] d = exact(g.outShape().size());
    long sums = Math.max(g.weightShape().size(), g.outShape().rows());
    compare(
        g.toString(),
        8 * ofSums(sums), // tensor cores cut sums off instead of rounding them
        s -> {
          Tensor in = s.tensor(x, g.inShape().toArray());
          Tensor weight = s.tensor(w, g.weightShape().toArray());
          Tensor dy = s.tensor(d, g.outShape().toArray());
          Tensor y = s.empty(g.outShape().toArray());
          Tensor dx = s.empty(g.inShape().toArray());
          Tensor dweight = s.empty(g.weightShape().toArray());
          s.ops.convolutions.forward(g, in, weight, y);
          s.ops.convolutions.backwardData(g, dy, weight, dx);
          s.ops.convolutions.backwardWeight(g, in, dy, dweight, false);
          return List.of(y, dx, dweight);
        });
  }
}
