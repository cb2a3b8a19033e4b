package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.driver.OpenCard;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.kernels.TiledProducts;
import slimvox.backend.cuda.libraries.Cudnn;
import slimvox.backend.cuda.libraries.CudnnConvolutions;
import slimvox.backend.cuda.libraries.CudnnFound;
import slimvox.backend.cuda.libraries.CudnnLibrary;
import slimvox.gpu.Gpu;

/** Every operation on a card against the CPU; twice on the card, for the same bits. */
@Gpu
class CardParityTest {
  interface OnCard extends Played {
    @Override
    default List<Device> played() {
      return List.of(Cuda.open(false), Cuda.open(false));
    }
  }

  @Nested
  class OfBatchNorm extends BatchNormParityTest implements OnCard {}

  @Nested
  class OfBinary extends BinaryParityTest implements OnCard {}

  /** By our own kernels, also where cuDNN is found. */
  @Nested
  class OfConvolution extends ConvolutionParityTest {
    @Override
    public List<Device> played() {
      return List.of(Cuda.open(false, CudnnFound.NONE), Cuda.open(false, CudnnFound.NONE));
    }
  }

  @Nested
  class OfCudnn extends ConvolutionParityTest {
    @Override
    public List<Device> played() {
      assumeTrue(Cuda.cudnn().library() != null, "cuDNN was not found: " + CudnnLibrary.INSTALL);
      return List.of(Cuda.open(false), Cuda.open(false));
    }

    /** Which passes cuDNN takes is its own affair on each card; what it leaves is reported. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tellsWhichConvolutionsOfResNet34AreLeft(boolean tf32, TestReporter reporter) {
      try (OpenCard card = Cuda.card(tf32, Cuda.cudnn(), KernelSource.all())) {
        TiledProducts products = new TiledProducts(card.launcher());
        Convolutions.Kernels all =
            card.convolutions(new TiledConvolutions(card.launcher(), products, tf32));
        assertTrue(all instanceof CudnnConvolutions, card.description());
        CudnnConvolutions convolutions = (CudnnConvolutions) all;
        List<String> left = new ArrayList<>();
        // height, width, in, out, kernel, stride
        for (int[] g :
            new int[][] {
              {80, 200, 1, 32, 3, 1}, {80, 200, 32, 32, 3, 1}, {80, 200, 32, 64, 3, 2},
              {80, 200, 32, 64, 1, 2}, {40, 100, 64, 64, 3, 1}, {40, 100, 64, 128, 3, 2},
              {20, 50, 128, 128, 3, 1}, {20, 50, 128, 256, 3, 2}, {10, 25, 256, 256, 3, 1}
            }) {
          int pad = g[4] / 2;
          Convolution geometry =
              new Convolution(
                  128, g[0], g[1], g[2], g[3], g[4], g[4], g[5], g[5], pad, pad, 1, FLOAT32);
          for (Cudnn.Pass pass : Cudnn.Pass.values()) {
            String reason = convolutions.reason(geometry, pass);
            if (reason != null) left.add(pass + " of " + geometry + ": " + reason);
          }
        }
        left.forEach(l -> reporter.publishEntry("left to our kernels", l));
        reporter.publishEntry("left to our kernels", left.size() + " of 27 passes");
      }
    }
  }

  @Nested
  class OfCudnnTf32 extends Tf32ParityTest {
    @Override
    public List<Device> played() {
      assumeTrue(Cuda.cudnn().library() != null, "cuDNN was not found: " + CudnnLibrary.INSTALL);
      return List.of(Cuda.open(true), Cuda.open(true));
    }
  }

  @Nested
  class OfElementwise extends ElementwiseParityTest implements OnCard {}

  @Nested
  class OfMargin extends MarginParityTest implements OnCard {}

  @Nested
  class OfMatrix extends MatrixParityTest implements OnCard {}

  @Nested
  class OfOptimizer extends OptimizerParityTest implements OnCard {}

  @Nested
  class OfPooling extends PoolingParityTest implements OnCard {}

  @Nested
  class OfTf32 extends Tf32ParityTest {
    @Override
    public List<Device> played() {
      return List.of(Cuda.open(true, CudnnFound.NONE), Cuda.open(true, CudnnFound.NONE));
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
