package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.Device;
import slimvox.models.ModelSpec;

/** Training steps whose convolutions the stand-in for cuDNN does: ledger, bits, the CPU's loss. */
class CudnnTrainingTest extends CudaTrainingTest {
  @TempDir private Path folder;
  private FakeCudnn fake;

  @BeforeEach
  void build() throws Exception {
    fake = new FakeCudnn(folder);
  }

  @Override
  Device device(boolean backwards) {
    return HostDevice.open(backwards, false, fake.library());
  }

  @Override
  int steps() {
    return 8;
  }

  /** In place of the superclass's: one without, one with depthwise convolutions. */
  static Stream<ModelSpec> models() {
    return Stream.of(
        ModelSpec.of("ResNet18", "width=4", "bins=24", "embeddingSize=8"),
        ModelSpec.of("DF-ResNet56", "width=4", "bins=24", "embeddingSize=8", "pooling=gsp"));
  }

  @AfterEach
  void cudnnWasUsedAndClosed() {
    assertTrue(fake.launches() > 0);
    assertTrue(fake.descriptors() == 0 && fake.handles() == 0);
  }
}
