package slimvox.backend.cuda.libraries;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.NativeFunction;

/**
 * The functions of cuDNN 9 that convolutions need. Version, errors' names and descriptors can be
 * had without a card.
 *
 * <p>Signatures: cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h of cuDNN 9.10. These are its classic
 * functions, which version 9 calls deprecated and 10 may lack.
 */
public final class CudnnLibrary {
  /** What brings the library. */
  public static final String INSTALL = "pip install nvidia-cudnn-cu12==9.10.2.21";

  private static final int MAJOR = 9;
  private static final int TEXT_BYTES = 1024;
  private static final int MOST_ARGUMENTS = 13;

  private final SymbolLookup library;
  private final Map<String, NativeFunction> functions = new HashMap<>();
  private final String version;

  /**
   * Looks the functions up.
   *
   * @throws UnsupportedOperationException in one line, if it is of another version or lacks one
   */
  public CudnnLibrary(SymbolLookup library) {
    this.library = library;
    long number = function("cudnnGetVersion").call();
    version = text(number);
    if (number / 10000 != MAJOR) {
      throw new UnsupportedOperationException(
          "it is cuDNN %s, SlimVox uses %d: %s".formatted(version, MAJOR, INSTALL));
    }
    for (String name :
        List.of(
            "cudnnGetErrorString",
            "cudnnGetLastErrorString",
            "cudnnCreate",
            "cudnnDestroy",
            "cudnnSetStream",
            "cudnnSetTensor4dDescriptor",
            "cudnnSetFilter4dDescriptor",
            "cudnnSetConvolution2dDescriptor",
            "cudnnSetConvolutionMathType",
            "cudnnSetConvolutionGroupCount")) {
      function(name);
    }
    for (String kind : List.of("Tensor", "Filter", "Convolution")) {
      function("cudnnCreate" + kind + "Descriptor");
      function("cudnnDestroy" + kind + "Descriptor");
    }
    for (Cudnn.Pass pass : Cudnn.Pass.values()) {
      function(pass.algorithms());
      function(pass.workspaceSize());
      function(pass.function());
    }
  }

  private NativeFunction function(String name) {
    return functions.computeIfAbsent(name, n -> NativeFunction.find(library, n, MOST_ARGUMENTS));
  }

  /** 91002 is 9.10.2; before 9, 8907 was 8.9.7. */
  private static String text(long number) {
    return number >= 90000
        ? "%d.%d.%d".formatted(number / 10000, number / 100 % 100, number % 100)
        : "%d.%d.%d".formatted(number / 1000, number / 100 % 10, number % 100);
  }

  /** {@code 9.10.2}. */
  public String version() {
    return version;
  }

  /** Calls a function and returns its status. */
  int call(String function, long... arguments) {
    return (int) function(function).call(arguments);
  }

  /**
   * Calls a function that has to succeed.
   *
   * @throws CudnnFailure if it does not, with cuDNN's name of the error and its own explanation
   */
  void check(String function, long... arguments) {
    int status = call(function, arguments);
    if (status == 0) return;
    String explanation = lastError();
    throw new CudnnFailure(
        status,
        function + ": " + name(status) + (explanation.isEmpty() ? "" : " (" + explanation + ")"));
  }

  @SuppressWarnings("restricted") // a string of the library's
  private String name(int status) {
    long address = function("cudnnGetErrorString").call(status);
    if (address == 0) return "error " + status;
    return MemorySegment.ofAddress(address).reinterpret(TEXT_BYTES).getString(0);
  }

  /** The first line of what cuDNN says about the last error of this thread; empty if nothing. */
  private String lastError() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(TEXT_BYTES);
      function("cudnnGetLastErrorString").call(text.address(), TEXT_BYTES);
      text.set(JAVA_BYTE, TEXT_BYTES - 1, (byte) 0);
      return text.getString(0).lines().map(String::strip).findFirst().orElse("");
    }
  }
}
