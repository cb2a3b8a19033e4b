package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.Device;

/**
 * Convolutions by the stand-in for cuDNN and, where it refuses, by our kernels, against oneDNN:
 * layouts, the reordering of weights, accumulation, falling back.
 */
class CudnnParityTest extends ConvolutionParityTest {
  @TempDir static Path folder;
  private FakeCudnn fake;

  @Override
  public List<Device> played() {
    HostKernels.load();
    try {
      fake = new FakeCudnn(folder);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    return List.of(
        HostDevice.open(false, false, fake.library()),
        HostDevice.open(true, false, fake.library()));
  }

  @AfterAll
  void mostWereDoneByCudnn() {
    // Four passes on two devices each.
    assertTrue(fake.launches() > 100, fake.launches() + " launches");
  }
}
