package slimvox.backend.cuda.libraries;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.DeviceException;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.FakeCudnn;
import slimvox.backend.cuda.FakeLibraries;
import slimvox.backend.cuda.HostDevice;
import slimvox.backend.cuda.libraries.Cudnn.Pass;
import slimvox.memory.Category;

/** Choice of algorithms, workspaces, refusals and failures, on the stand-in for cuDNN. */
class CudnnConvolutionsTest {
  private static final long LIMIT = 16 << 20;
  private static final Convolution USUAL = square(3, 1);
  private static final long WEIGHT = 4 * 16 * 8 * 9;

  @TempDir private Path folder;
  private FakeCudnn fake;
  private Cudnn cudnn;

  @BeforeEach
  void build() throws Exception {
    fake = new FakeCudnn(folder);
  }

  private static Convolution square(int kernel, int stride) {
    return new Convolution(
        2, 9, 8, 8, 16, kernel, kernel, stride, stride, kernel / 2, kernel / 2, 1, FLOAT32);
  }

  private static Convolution oblong() {
    return new Convolution(2, 9, 8, 8, 16, 3, 1, 1, 1, 1, 0, 1, FLOAT32);
  }

  /** Our own, which need the same workspace for everything and note what they are asked to do. */
  private static final class Own implements Convolutions.Kernels {
    final List<String> done = new ArrayList<>();
    final long workspace;

    Own(long workspace) {
      this.workspace = workspace;
    }

    @Override
    public long forwardWorkspace(Convolution g) {
      return workspace;
    }

    @Override
    public void forward(
        Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {
      done.add("forward at " + workspace.address());
    }

    @Override
    public long backwardDataWorkspace(Convolution g) {
      return workspace;
    }

    @Override
    public void backwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
      done.add("backward data at " + workspace.address());
    }

    @Override
    public long backwardWeightWorkspace(Convolution g) {
      return workspace;
    }

    @Override
    public void backwardWeight(
        Convolution g,
        Tensor x,
        Channels c,
        Tensor dy,
        Tensor dweight,
        boolean accumulate,
        Tensor workspace) {
      done.add("backward weight at " + workspace.address() + (accumulate ? " more" : ""));
    }
  }

  /** A tensor at an address. */
  private static Tensor at(long address) {
    Device.Memory memory =
        new Device.Memory() {
          @Override
          public long allocate(long bytes) {
            return address;
          }
        };
    Device device =
        (Device)
            Proxy.newProxyInstance(
                Device.class.getClassLoader(),
                new Class<?>[] {Device.class},
                (self, method, arguments) ->
                    method.getName().equals("memory")
                        ? memory
                        : InvocationHandler.invokeDefault(self, method, arguments));
    return new Backend(device).allocate(Category.INPUT, "x", 1);
  }

  /** Ours on the stand-in; what was open before is closed. */
  private CudnnConvolutions open(boolean tf32, long limit, Own own) {
    close();
    cudnn = new Cudnn(fake.library(), HostDevice.STREAM, tf32, limit);
    return new CudnnConvolutions(cudnn, own, (kernel, grid, arguments) -> {});
  }

  @AfterEach
  void close() {
    if (cudnn != null) cudnn.close();
    cudnn = null;
  }

  /** Algorithm and workspace of each pass. */
  private static List<String> plans(CudnnConvolutions c, Convolution g) {
    List<String> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      Cudnn.Plan plan = c.plan(g, pass);
      all.add(plan == null ? c.reason(g, pass) : plan.algorithm() + ": " + plan.workspace());
    }
    return all;
  }

  @Test
  void theFirstThatIsExactAndWithinTheLimitIsTaken() {
    // Before them in the lists: Winograd, Fourier, what adds in any order, too large a workspace.
    String data = "1: " + (4096 + 512);
    String weight = "1: " + (2 * WEIGHT + 512);
    Own own = new Own(0);
    assertEquals(
        List.of("2: " + (WEIGHT + 512), data, weight), plans(open(false, LIMIT, own), USUAL));
    assertEquals(List.of("1: 67108864", data, weight), plans(open(false, 64 << 20, own), USUAL));
    assertEquals(
        List.of(
            "0: 0",
            "cuDNN needs a workspace of 4,608 bytes, 1,000 are allowed",
            "cuDNN needs a workspace of 9,728 bytes, 1,000 are allowed"),
        plans(open(false, 1000, own), USUAL));
  }

  @Test
  void tf32IsAllowedOnlyIfAskedForAndFloat16Never() {
    assertEquals(
        List.of("2: " + WEIGHT, "1: 4096", "1: " + 2 * WEIGHT),
        plans(open(true, LIMIT, new Own(0)), USUAL));
    try (Arena arena = Arena.ofConfined()) {
      long memory = arena.allocate(1 << 20, 256).address();
      for (boolean tf32 : new boolean[] {false, true}) {
        CudnnConvolutions c = open(tf32, LIMIT, new Own(0));
        c.backwardDataWorkspace(USUAL);
        c.backwardData(
            USUAL, at(memory), at(memory + 65536), at(memory + 131072), at(memory + 262144));
        assertEquals(1, fake.lastAlgorithm());
        assertEquals(tf32 ? 0 : 3, fake.lastMath());
        assertEquals(tf32 ? 4096 : 4608, fake.lastWorkspace());
      }
    }
  }

  @Test
  void theWorkspaceHoldsTheWeightCudnnsOwnOrWhatOurKernelsNeed() {
    CudnnConvolutions c = open(false, LIMIT, new Own(300));
    assertEquals(256 + 4608 + 5120, c.forwardWorkspace(USUAL));
    assertEquals(256 + 4608 + 4608, c.backwardDataWorkspace(USUAL));
    assertEquals(256 + 4608 + 9728, c.backwardWeightWorkspace(USUAL));
    // One tap: its order is everybody's.
    assertEquals(256 + 512 + 512, c.forwardWorkspace(square(1, 2)));
    assertEquals(300, c.forwardWorkspace(square(5, 1)));
    assertEquals(1 << 20, open(false, LIMIT, new Own(1 << 20)).forwardWorkspace(USUAL));
  }

  @Test
  void matrixProductsDepthwiseAndRefusedShapesAreLeftToOurKernels() {
    Own own = new Own(300);
    Convolution depthwise = new Convolution(2, 9, 8, 8, 8, 3, 3, 1, 1, 1, 1, 8, FLOAT32);
    CudnnConvolutions c = open(false, LIMIT, own);
    assertEquals("a matrix product", c.reason(square(1, 1), Pass.FORWARD));
    assertEquals("a depthwise convolution", c.reason(depthwise, Pass.BACKWARD_DATA));
    assertEquals(
        "cudnnGetConvolutionBackwardFilterAlgorithm_v7: CUDNN_STATUS_NOT_SUPPORTED_SHAPE"
            + " (a kernel of five)",
        c.reason(square(5, 1), Pass.BACKWARD_WEIGHT));
    c.forward(square(1, 1), at(1), null, at(2), at(3), at(4));
    c.backwardData(depthwise, at(1), at(2), at(3), at(5));
    c.backwardWeight(square(5, 1), at(1), null, at(2), at(3), true, at(6));
    assertEquals(
        List.of("forward at 4", "backward data at 5", "backward weight at 6 more"), own.done);
    assertEquals(0, fake.launches());
  }

  @Test
  void aRefusalAtTheLaunchLeavesThePassToOurKernelsAndTheWorkspaceAsItWas() {
    Own own = new Own(300);
    CudnnConvolutions c = open(false, LIMIT, own);
    assertNull(c.reason(oblong(), Pass.FORWARD));
    long bytes = c.forwardWorkspace(oblong());
    assertTrue(bytes > 300);
    c.forward(oblong(), at(1024), null, at(2048), at(4096), at(8192));
    c.forward(oblong(), at(1024), null, at(2048), at(4096), at(8192));
    assertEquals(bytes, c.forwardWorkspace(oblong()));
    assertEquals(
        "cudnnConvolutionForward: CUDNN_STATUS_NOT_SUPPORTED (a kernel that is not square)",
        c.reason(oblong(), Pass.FORWARD));
    assertNull(c.reason(oblong(), Pass.BACKWARD_DATA));
    assertEquals(List.of("forward at 8192", "forward at 8192"), own.done);
  }

  @Test
  void aFailureNamesTheConvolutionAndWhatToDo() {
    CudnnConvolutions c = open(false, LIMIT, new Own(300));
    c.forwardWorkspace(USUAL);
    fake.fail(5000);
    DeviceException e =
        assertThrows(
            DeviceException.class,
            () -> c.forward(USUAL, at(1024), null, at(2048), at(4096), at(8192)));
    assertEquals(
        "cuDNN failed in a convolution of [2, 9, 8, 8] by [16, 8, 3, 3], strides 1 and 1,"
            + " groups 1: cudnnConvolutionForward: CUDNN_STATUS_EXECUTION_FAILED (as the"
            + " test wants); resume the run from its last checkpoint, without cuDNN by"
            + " SLIMVOX_CUDNN=off",
        e.getMessage());
  }

  @Test
  void everyDescriptorAndTheHandleAreGivenBack() {
    CudnnConvolutions c = open(false, LIMIT, new Own(0));
    int before = fake.descriptors(); // of the trial
    assertEquals(1, fake.handles());
    plans(c, USUAL);
    plans(c, USUAL); // once only
    plans(c, square(5, 1));
    assertEquals(before + 3 * 4, fake.descriptors());
    close();
    assertEquals(0, fake.descriptors());
    assertEquals(0, fake.handles());
  }

  @Test
  @SuppressWarnings("restricted") // a library of our own making
  void anotherMajorVersionIsRefusedBeforeAnythingIsLookedUp() throws Exception {
    Path other = Files.createDirectory(folder.resolve("other"));
    Path file = FakeLibraries.cudnn(other, "NUMBER=100100");
    SymbolLookup old = SymbolLookup.libraryLookup(file, Arena.global());
    assertEquals(
        "it is cuDNN 10.1.0, SlimVox uses 9: " + CudnnLibrary.INSTALL,
        assertThrows(UnsupportedOperationException.class, () -> new CudnnLibrary(old))
            .getMessage());
  }

  @Test
  void aHandleThatCannotBeMadeLeavesNothingBehind() throws Exception {
    Path other = Files.createDirectory(folder.resolve("other"));
    FakeCudnn without = new FakeCudnn(other, "CREATE=1001");
    CudnnFailure e =
        assertThrows(
            CudnnFailure.class,
            () -> new Cudnn(without.library(), HostDevice.STREAM, false, LIMIT));
    assertEquals("cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED (no card)", e.getMessage());
    assertEquals(0, without.descriptors());
  }
}
