package slimvox.backend.cuda.driver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.Supplier;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;

/**
 * Compiled kernels on disk, one file for each source, card and compiler.
 *
 * <p>A file is the SHA-256 of the code and the code. One that does not fit its sum, as after a full
 * disk, is made anew; one that cannot be written is compiled again next time.
 */
final class KernelCache {
  private static final int SUM = 32;

  private final Path folder;

  /** A cache in a folder that exists. */
  KernelCache(Path folder) {
    this.folder = folder;
  }

  /**
   * The code of a source.
   *
   * @param name what the file's name starts with
   * @param key everything that decides the code: source, headers, options, compiler
   * @param compile makes it where it is not there
   */
  byte[] get(String name, byte[] key, Supplier<byte[]> compile) {
    Path file = file(name, key);
    byte[] code = read(file);
    if (code != null) return code;
    code = compile.get();
    byte[] made = code;
    try {
      AtomicFile.write(
          file,
          SUM + made.length,
          out -> {
            out.write(sum(made));
            out.write(made);
          });
    } catch (InputException e) {
      // The cache saves time and nothing else.
    }
    return code;
  }

  /** Forgets the code of a source, which the driver did not take. */
  void drop(String name, byte[] key) {
    try {
      Files.deleteIfExists(file(name, key));
    } catch (IOException e) {
      // then it stays, and is compiled each time
    }
  }

  private Path file(String name, byte[] key) {
    return folder.resolve(name + "-" + HexFormat.of().formatHex(sum(key), 0, 8) + ".cubin");
  }

  private static byte[] read(Path file) {
    try {
      byte[] all = Files.readAllBytes(file);
      if (all.length <= SUM) return null;
      byte[] code = Arrays.copyOfRange(all, SUM, all.length);
      return Arrays.equals(sum(code), 0, SUM, all, 0, SUM) ? code : null;
    } catch (IOException e) {
      return null;
    }
  }

  private static byte[] sum(byte[] content) {
    MessageDigest digest = Sha256.digest();
    return digest.digest(content);
  }
}
