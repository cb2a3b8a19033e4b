package slimvox.storage;

import java.io.FileOutputStream;

/** Writes the file named by its argument, prints a plus and never ends: for AtomicFileTest. */
final class LockedFileProgram {
  private LockedFileProgram() {}

  public static void main(String[] file) throws Exception {
    try (FileOutputStream out = new FileOutputStream(file[0]);
        var lock = out.getChannel().tryLock()) {
      System.out.print(lock == null ? '-' : '+');
      System.out.flush();
      Thread.sleep(Long.MAX_VALUE);
    }
  }
}
