package slimvox.backend.cuda;

import java.util.List;
import org.junit.jupiter.api.Nested;
import slimvox.backend.Device;
import slimvox.gpu.Gpu;

/** Every operation on a card against the CPU; twice on the card, for the same bits. */
@Gpu
class CardParityTest {
  private static List<Device> cards() {
    return List.of(Cuda.open(false), Cuda.open(false));
  }

  @Nested
  class OfBatchNorm extends BatchNormParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfBinary extends BinaryParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfConvolution extends ConvolutionParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfElementwise extends ElementwiseParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfMargin extends MarginParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfMatrix extends MatrixParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfOptimizer extends OptimizerParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfPooling extends PoolingParityTest {
    @Override
    List<Device> played() {
      return cards();
    }
  }

  @Nested
  class OfTf32 extends Tf32ParityTest {
    @Override
    List<Device> played() {
      return List.of(Cuda.open(true), Cuda.open(true));
    }
  }

  @Nested
  class OfTraining extends CudaTrainingTest {
    @Override
    Device device(boolean backwards) {
      return Cuda.open(false);
    }

    @Override
    int steps() {
      return 50;
    }
  }
}
