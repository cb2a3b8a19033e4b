package slimvox.storage;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** The hash that names recipes, corpora, trial lists and cached features. */
public final class Sha256 {
  private Sha256() {}

  /** A new digest without the exception that cannot happen: every Java platform has SHA-256. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
