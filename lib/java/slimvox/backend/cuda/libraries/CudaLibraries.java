package slimvox.backend.cuda.libraries;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
      return file == null ? library.fileName() + " (" + source + ")" : file + " (" + source + ")";
    }
  }

  private final Map<Library, Found> found = new EnumMap<>(Library.class);
  private final Map<Library, List<Path>> others = new EnumMap<>(Library.class);
  private final Map<Library, String> notes = new EnumMap<>(Library.class);
  private final Map<Path, String> folders;
  private final Surroundings around;

  private CudaLibraries(Surroundings around) {
    this.around = around;
    this.folders = SearchPath.of(around);
    locate(Library.DRIVER);
    if (!has(Library.DRIVER)) return; // without one the rest is of no use and not worth loading
    locate(Library.NVRTC);
    locate(Library.CUBLAS);
    Path cudnn = CudnnFound.file(around);
    if (cudnn == null) {
      locate(Library.CUDNN);
    } else {
      found.put(Library.CUDNN, new Found(Library.CUDNN, cudnn, "SLIMVOX_CUDNN"));
    }
    locate(Library.MANAGEMENT);
    beside(Library.NVRTC, Library.NVRTC_BUILTINS);
    beside(Library.CUBLAS, Library.CUBLAS_LT);
  }

  /** Looks for the libraries; loads at most what the system's loader finds. */
  public static CudaLibraries find(Surroundings around) {
    return new CudaLibraries(around);
  }

  private void locate(Library library) {
    for (Map.Entry<Path, String> folder : folders.entrySet()) {
      if (folder.getValue().equals("SLIMVOX_CUDA_PATH") && in(folder, library)) return;
    }
    if (around.loader().test(library.fileName())) {
      found.put(library, new Found(library, null, "found by the system"));
      return;
    }
    for (Map.Entry<Path, String> folder : folders.entrySet()) {
      if (in(folder, library)) return;
    }
  }

  private boolean in(Map.Entry<Path, String> folder, Library library) {
    Path file = folder.getKey().resolve(library.fileName());
    if (Files.isRegularFile(file)) {
      found.put(library, new Found(library, file, folder.getValue()));
      return true;
    }
    List<Path> other = SearchPath.children(folder.getKey(), library.anyVersion() + "*");
    if (!other.isEmpty()) others.computeIfAbsent(library, _ -> new ArrayList<>()).addAll(other);
    return false;
  }

  /** A companion is taken from the same folder only: its version has to fit. */
  private void beside(Library library, Library companion) {
    Found with = found.get(library);
    if (with == null || with.file() == null) return;
    List<Path> files = SearchPath.children(with.file().getParent(), companion.fileName() + "*");
    if (!files.isEmpty()) {
      found.put(companion, new Found(companion, files.getFirst(), with.source()));
    }
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
    List<Path> other = others.getOrDefault(Library.NVRTC, List.of());
    if (!other.isEmpty()) {
      return "%s not found, only another version (%s); CUDA 12's run beside it: %s"
          .formatted(name, other.getFirst(), INSTALL);
    }
    return "%s not found (looked in %s); %s, or set SLIMVOX_CUDA_PATH to its folder"
        .formatted(name, searched(), INSTALL);
  }

  private String searched() {
    if (folders.isEmpty()) return "no folder, as there is no Python environment nor CUDA_HOME";
    return folders.values().stream().distinct().collect(Collectors.joining(", "));
  }

  /** Adds to the line of a library that was found: its version, or why it is not used. */
  void note(Library library, String text) {
    notes.put(library, text);
  }

  /** One line for each library: where it is, or that it is not there. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    for (Library library :
        List.of(Library.DRIVER, Library.NVRTC, Library.CUBLAS, Library.CUDNN, Library.MANAGEMENT)) {
      Found place = found.get(library);
      List<Path> other = others.getOrDefault(library, List.of());
      if (place != null) {
        lines.add(place + (notes.containsKey(library) ? ", " + notes.get(library) : ""));
      } else if (library == Library.DRIVER || has(Library.DRIVER)) {
        boolean needed = library == Library.DRIVER || library == Library.NVRTC;
        lines.add(
            library.fileName()
                + " not found"
                + (other.isEmpty() ? "" : ", only " + other.getFirst())
                + (needed ? "" : " (optional)"));
      }
    }
    return lines;
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
