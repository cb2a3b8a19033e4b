package slimvox.backend.cuda.libraries;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import slimvox.backend.cuda.Cuda;
import slimvox.backend.cuda.HostDevice;

/** The true cuDNN, as far as it works without a card, where it is found. */
class CudnnWheelTest {
  private static CudnnLibrary library;

  @BeforeAll
  @SuppressWarnings("restricted") // loads it
  static void load() {
    Path file =
        SearchPath.of(Environment.real()).keySet().stream()
            .map(folder -> folder.resolve(Library.CUDNN.fileName()))
            .filter(Files::isRegularFile)
            .findFirst()
            .orElse(null);
    assumeTrue(file != null, "no cuDNN 9 here (700 MB): " + CudnnLibrary.INSTALL);
    library = new CudnnLibrary(SymbolLookup.libraryLookup(file, Arena.global()));
  }

  private static long descriptor(Arena arena, String kind) {
    MemorySegment made = arena.allocate(JAVA_LONG);
    library.check("cudnnCreate" + kind + "Descriptor", made.address());
    return made.get(JAVA_LONG, 0);
  }

  @Test
  void descriptorsTakeOurGeometry() {
    assertTrue(library.version().startsWith("9."), library.version());
    try (Arena arena = Arena.ofConfined()) {
      long x = descriptor(arena, "Tensor");
      long w = descriptor(arena, "Filter");
      long c = descriptor(arena, "Convolution");
      library.check("cudnnSetTensor4dDescriptor", x, 1, 0, 32, 64, 80, 300);
      library.check("cudnnSetFilter4dDescriptor", w, 0, 1, 128, 16, 3, 3);
      library.check("cudnnSetConvolution2dDescriptor", c, 1, 1, 2, 3, 1, 1, 1, 0);
      library.check("cudnnSetConvolutionGroupCount", c, 4);
      library.check("cudnnSetConvolutionMathType", c, 3);
      MemorySegment out = arena.allocate(JAVA_INT, 4);
      library.check(
          "cudnnGetConvolution2dForwardOutputDim",
          c,
          x,
          w,
          out.address(),
          out.address() + 4,
          out.address() + 8,
          out.address() + 12);
      assertArrayEquals(new int[] {32, 128, 40, 100}, out.toArray(JAVA_INT));
      library.check("cudnnDestroyTensorDescriptor", x);
      library.check("cudnnDestroyFilterDescriptor", w);
      library.check("cudnnDestroyConvolutionDescriptor", c);
    }
  }

  @Test
  void aRefusalHasANameAndAReason() {
    try (Arena arena = Arena.ofConfined()) {
      long x = descriptor(arena, "Tensor");
      CudnnFailure e =
          assertThrows(
              CudnnFailure.class,
              () -> library.check("cudnnSetTensor4dDescriptor", x, 1, 0, -1, 64, 80, 300));
      assertTrue(
          e.getMessage().startsWith("cudnnSetTensor4dDescriptor: CUDNN_STATUS_BAD_PARAM"),
          e.getMessage());
      assertTrue(e.isRefusal());
      assertEquals(0, library.call("cudnnDestroyTensorDescriptor", x));
    }
  }

  @Test
  void withoutACardTheHandleIsRefusedWithCudnnsReason() {
    assumeTrue(!Cuda.find().usable(), "there is a card");
    CudnnFailure e =
        assertThrows(
            CudnnFailure.class, () -> new Cudnn(library, HostDevice.STREAM, false, 16 << 20));
    assertTrue(
        e.getMessage().startsWith("cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED ("), e.getMessage());
  }
}
