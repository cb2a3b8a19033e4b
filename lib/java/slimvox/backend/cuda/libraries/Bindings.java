package slimvox.backend.cuda.libraries;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.nvrtc.JNvrtc;
import slimvox.backend.cuda.driver.CacheFolder;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/**
 * JCuda's native code: unpacked into the user's cache folder and loaded once.
 *
 * <p>Left to itself JCuda unpacks into the common temporary folder, under fixed names, and loads
 * whatever file it finds there, cut off ones and those of other users included. Here the files are
 * put where only the user can write, whole and compared with those of the jar, and JCuda is told
 * that this is the temporary folder while it loads them. NVIDIA's libraries must have been loaded
 * before: a class of JCuda that fails to load once fails as long as the JVM runs.
 */
public final class Bindings {
  private static final String VERSION = "12.6.0";
  private static boolean driver;
  private static boolean cublas;

  private Bindings() {}

  /**
   * Loads the bindings of the driver and of NVRTC, and of cuBLAS if it was found.
   *
   * @throws UnsupportedOperationException in one line, if something cannot be loaded
   */
  public static synchronized void load(CudaLibraries libraries) {
    if (!driver) {
      libraries.open(Library.DRIVER);
      libraries.open(Library.NVRTC);
      from(
          List.of("JCudaDriver", "JNvrtc"),
          () -> {
            JCudaDriver.setExceptionsEnabled(false); // codes are looked at, with the place
            JNvrtc.setExceptionsEnabled(false);
          });
      driver = true;
    }
    if (!cublas && libraries.has(Library.CUBLAS)) {
      libraries.open(Library.CUBLAS);
      from(List.of("JCublas2"), () -> JCublas2.setExceptionsEnabled(false));
      cublas = true;
    }
  }

  /** Calls what loads the classes, with the temporary folder set to one that holds their code. */
  private static void from(List<String> names, Runnable load) {
    String temporary = System.getProperty("java.io.tmpdir");
    try {
      Path folder = CacheFolder.of("jcuda-" + VERSION);
      for (String name : names) unpack(name, folder);
      System.setProperty("java.io.tmpdir", folder.toString());
      load.run();
    } catch (IOException | InputException e) {
      throw new UnsupportedOperationException(
          "JCuda's native code cannot be unpacked (%s); is the disk full?"
              .formatted(e.getMessage()),
          e);
    } catch (LinkageError e) {
      throw new UnsupportedOperationException(
          "JCuda's native code cannot be loaded: " + e.getMessage(), e);
    } finally {
      System.setProperty("java.io.tmpdir", temporary);
    }
  }

  private static void unpack(String name, Path folder) throws IOException {
    String file = "lib" + name + "-" + VERSION + "-linux-x86_64.so";
    byte[] content;
    try (InputStream in = Bindings.class.getResourceAsStream("/lib/" + file)) {
      if (in == null) return; // then it is on java.library.path, or JCuda says that it is not
      content = in.readAllBytes();
    }
    Path target = folder.resolve(file);
    if (Files.isRegularFile(target) && Arrays.equals(Files.readAllBytes(target), content)) return;
    AtomicFile.write(target, content.length, out -> out.write(content));
  }
}
