package slimvox.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import slimvox.backend.NativeFunction;
import slimvox.backend.cuda.libraries.CudnnLibrary;

/** The stand-in for cuDNN, compiled and loaded, and what it tells of itself. */
@SuppressWarnings("restricted") // a library of our own making
public final class FakeCudnn {
  private final SymbolLookup symbols;
  private final CudnnLibrary library;

  /** Skips the test, with the reason, where there is no C compiler. */
  public FakeCudnn(Path folder, String... macros) throws Exception {
    symbols = SymbolLookup.libraryLookup(FakeLibraries.cudnn(folder, macros), Arena.global());
    library = new CudnnLibrary(symbols);
  }

  public CudnnLibrary library() {
    return library;
  }

  /** Lets the next launch return a status. */
  public void fail(int status) {
    NativeFunction.find(symbols, "fake_cudnn_fail", 1).call(status);
  }

  private int count(int what) {
    return (int) NativeFunction.find(symbols, "fake_cudnn_count", 1).call(what);
  }

  public int descriptors() {
    return count(0);
  }

  public int handles() {
    return count(1);
  }

  public int launches() {
    return count(2);
  }

  public int lastAlgorithm() {
    return count(3);
  }

  public int lastMath() {
    return count(4);
  }

  public int lastWorkspace() {
    return count(5);
  }
}
