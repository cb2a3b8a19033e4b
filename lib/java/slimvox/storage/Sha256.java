package slimvox.storage;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The hash that names recipes, corpora, trial lists and cached features. */
public final class Sha256 {
  private Sha256() {}

  /**
   * The hash of a file, in hexadecimal.
   *
   * @throws InputException if it cannot be read
   */
  public static String of(Path file) {
    MessageDigest digest = digest();
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (NoSuchFileException e) {
      throw InputException.at(file, "no such file").because(e);
    } catch (IOException e) {
      throw InputException.at(file, "cannot be read: %s", e.getMessage()).because(e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** A new digest without the exception that cannot happen: every Java platform has SHA-256. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
