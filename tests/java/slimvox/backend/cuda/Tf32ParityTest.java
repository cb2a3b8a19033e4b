package slimvox.backend.cuda;

import java.util.List;
import java.util.stream.Stream;
import slimvox.backend.Convolution;
import slimvox.backend.Device;

/**
 * Convolutions by tensor cores against oneDNN: of factors that TF32 holds exactly, so that only the
 * order of float32 sums differs.
 */
class Tf32ParityTest extends ConvolutionParityTest {
  @Override
  public List<Device> played() {
    HostKernels.load();
    return List.of(HostDevice.open(false, true), HostDevice.open(true, true));
  }

  /** In place of the superclass's. */
  static Stream<Convolution> geometries() {
    return ConvolutionParityTest.geometries().filter(g -> g.groups() == 1);
  }

  /** Values with 10 bits of fraction. */
  @Override
  float[] values(long count) {
    float[] values = normal(count);
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(Float.floatToRawIntBits(values[i]) & ~0x1fff);
    }
    return values;
  }

  @Override
  double tolerance(long sums) {
    return 8 * ofSums(sums); // tensor cores cut sums off instead of rounding them
  }
}
