package slimvox.backend.cuda.libraries;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * NVIDIA's libraries on this machine: which are there, where, and what to do about those that are
 * not.
 *
 * <p>{@code LD_LIBRARY_PATH} is not needed. Each library is loaded by its full path; those that
 * need it by name (JCuda's, cuBLAS) then find it loaded. What the system's loader finds by itself
 * comes before the folders of {@link SearchPath}, all but those of {@code SLIMVOX_CUDA_PATH}.
 */
public final class CudaLibraries {
  /** What brings the libraries that are required; the versions that JCuda was made with. */
  public static final String INSTALL =
      "pip install nvidia-cuda-nvrtc-cu12==12.6.85 nvidia-cublas-cu12==12.6.4.1";

  /**
   * A library and its place.
   *
   * @param file null where the system's loader finds it by its name
   * @param source where the folder comes from, in words
   */
  record Found(Library library, Path file, String source) {
    @Override
    public String toString() {
      return (file == null ? library.fileName() : file) + " (" + source + ")";
    }
  }

  private final Map<Library, Found> found = new EnumMap<>(Library.class);
  private final Map<Library, Path> others = new EnumMap<>(Library.class); // of another version
  private final Map<Library, String> notes = new EnumMap<>(Library.class);
  private final Map<Path, String> folders;

  private CudaLibraries(Environment environment) {
    this.folders = SearchPath.of(environment);
    locate(Library.DRIVER, environment);
    if (!has(Library.DRIVER)) return; // without one the rest is of no use and not worth loading
    locate(Library.NVRTC, environment);
    locate(Library.CUBLAS, environment);
    Path cudnn = CudnnFound.file(environment);
    if (cudnn == null) {
      locate(Library.CUDNN, environment);
    } else {
      found.put(Library.CUDNN, new Found(Library.CUDNN, cudnn, "SLIMVOX_CUDNN"));
    }
    locate(Library.MANAGEMENT, environment);
    beside(Library.NVRTC, Library.NVRTC_BUILTINS);
    beside(Library.CUBLAS, Library.CUBLAS_LT);
  }

  /** Looks for the libraries; loads at most what the system's loader finds. */
  public static CudaLibraries find(Environment environment) {
    return new CudaLibraries(environment);
  }

  private void locate(Library library, Environment environment) {
    if (inFolders(library, true)) return;
    if (environment.loader().test(library.fileName())) {
      found.put(library, new Found(library, null, "found by the system"));
    } else {
      inFolders(library, false);
    }
  }

  private boolean inFolders(Library library, boolean named) {
    for (Map.Entry<Path, String> folder : folders.entrySet()) {
      if (folder.getValue().equals(SearchPath.NAMED) != named) continue;
      Path file = folder.getKey().resolve(library.fileName());
      if (Files.isRegularFile(file)) {
        found.put(library, new Found(library, file, folder.getValue()));
        return true;
      }
      SearchPath.children(folder.getKey(), library.anyVersion() + "*")
          .forEach(other -> others.putIfAbsent(library, other));
    }
    return false;
  }

  /** A companion is taken from the same folder only: its version has to fit. */
  private void beside(Library library, Library companion) {
    Found with = found.get(library);
    if (with == null || with.file() == null) return;
    SearchPath.children(with.file().getParent(), companion.fileName() + "*").stream()
        .findFirst()
        .ifPresent(file -> found.put(companion, new Found(companion, file, with.source())));
  }

  /** Whether a library was found. */
  public boolean has(Library library) {
    return found.containsKey(library);
  }

  /** Where a library is; null if it was not found. */
  Found get(Library library) {
    return found.get(library);
  }

  /**
   * What hinders the use of CUDA, in one line that says what to do; null if nothing does. cuBLAS is
   * not needed: there are kernels for matrix products.
   */
  public String problem() {
    if (!has(Library.DRIVER)) {
      return "no NVIDIA driver (libcuda.so.1) on this machine; a card needs its driver installed";
    }
    if (has(Library.NVRTC)) return null;
    String name = Library.NVRTC.fileName();
    Path other = others.get(Library.NVRTC);
    if (other != null) {
      return "%s not found, only another version (%s); CUDA 12's run beside it: %s"
          .formatted(name, other, INSTALL);
    }
    String searched =
        folders.isEmpty()
            ? "no folder, as there is no Python environment nor CUDA_HOME"
            : folders.values().stream().distinct().collect(Collectors.joining(", "));
    return "%s not found (looked in %s); %s, or set SLIMVOX_CUDA_PATH to its folder"
        .formatted(name, searched, INSTALL);
  }

  /** Adds to the line of a library that was found: its version, or why it is not used. */
  void note(Library library, String text) {
    notes.put(library, ", " + text);
  }

  /** One line for each library: where it is, or that it is not there. */
  public List<String> lines() {
    if (!has(Library.DRIVER)) return List.of(line(Library.DRIVER, ""));
    return List.of(
        line(Library.DRIVER, ""),
        line(Library.NVRTC, ""),
        line(Library.CUBLAS, " (optional)"),
        line(Library.CUDNN, " (optional)"),
        line(Library.MANAGEMENT, " (optional)"));
  }

  private String line(Library library, String needed) {
    if (has(library)) return found.get(library) + notes.getOrDefault(library, "");
    Path other = others.get(library);
    return library.fileName() + " not found" + (other == null ? "" : ", only " + other) + needed;
  }

  /**
   * Loads a library, and before it the one that it needs beside it.
   *
   * @throws UnsupportedOperationException in one line, if it cannot be loaded
   */
  @SuppressWarnings("restricted") // loading native code is what it is for
  public SymbolLookup open(Library library) {
    if (library == Library.NVRTC && has(Library.NVRTC_BUILTINS)) open(Library.NVRTC_BUILTINS);
    if (library == Library.CUBLAS && has(Library.CUBLAS_LT)) open(Library.CUBLAS_LT);
    Found place = found.get(library);
    if (place == null) throw new UnsupportedOperationException(library.fileName() + " not found");
    try {
      return place.file() == null
          ? SymbolLookup.libraryLookup(library.fileName(), Arena.global())
          : SymbolLookup.libraryLookup(place.file(), Arena.global());
    } catch (IllegalArgumentException e) {
      throw new UnsupportedOperationException(
          place + " cannot be loaded; is it damaged, or made for another system?", e);
    }
  }
}
