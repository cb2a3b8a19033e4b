package slimvox.storage;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.stream.Stream;

/** The hash that names recipes, corpora, trial lists and cached features. */
public final class Sha256 {
  private Sha256() {}

  /** The hash of a file, in hexadecimal; one that cannot be read is refused. */
  public static String of(Path file) {
    MessageDigest digest = digest();
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      throw InputException.unreadable(file, e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The hash of pieces of text in UTF-8, one after the other, in hexadecimal. */
  public static String of(Stream<String> text) {
    MessageDigest digest = digest();
    text.forEachOrdered(piece -> digest.update(piece.getBytes(StandardCharsets.UTF_8)));
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
