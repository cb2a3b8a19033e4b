package slimvox.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;

/** The stand-in for cuDNN, compiled and loaded, and what it tells of itself. */
@SuppressWarnings("restricted") // a library of our own making
final class FakeCudnn {
  private final SymbolLookup symbols;
  private final CudnnLibrary library;

  /** Skips the test, with the reason, where there is no C compiler. */
  FakeCudnn(Path folder, String... macros) throws Exception {
    symbols = SymbolLookup.libraryLookup(FakeLibraries.cudnn(folder, macros), Arena.global());
    library = new CudnnLibrary(symbols);
  }

  CudnnLibrary library() {
    return library;
  }

  /** Lets the next launch return a status. */
  void fail(int status) {
    CFunction.find(symbols, "fake_cudnn_fail", "i").call(status);
  }

  private int count(int what) {
    return CFunction.find(symbols, "fake_cudnn_count", "i").call(what);
  }

  int descriptors() {
    return count(0);
  }

  int handles() {
    return count(1);
  }

  int launches() {
    return count(2);
  }

  int lastAlgorithm() {
    return count(3);
  }

  int lastMath() {
    return count(4);
  }

  int lastWorkspace() {
    return count(5);
  }
}
