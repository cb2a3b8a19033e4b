package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir Path folder;

  private long files() throws IOException {
    try (var list = Files.list(folder)) {
      return list.count();
    }
  }

  @Test
  void contentReplacesTheEarlierFileAndLeavesNothingElse() throws IOException {
    Path file = folder.resolve("a/b/result.txt");
    AtomicFile.write(file, "first\n");
    AtomicFile.write(file, "second\n");
    assertEquals("second\n", Files.readString(file));
    try (var list = Files.list(file.getParent())) {
      assertEquals(1, list.count());
    }
  }

  @Test
  void fullDiskNamesFileSpaceNeededAndLeftAndKeepsTheEarlierFile() throws IOException {
    Path full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.exists(full), "no /dev/full on this system");
    Path file = folder.resolve("checkpoint.safetensors");
    AtomicFile.write(file, "earlier");
    String e =
        refused(
            () ->
                AtomicFile.write(
                    file,
                    3 << 20,
                    out -> out.write(new byte[3 << 20]),
                    temporary -> new FileOutputStream(full.toFile())));
    assertTrue(
        e.matches(
            ".*checkpoint.safetensors: disk full, 3.0 MiB needed, [0-9.]+ (MiB|bytes) left;"
                + " free some space or write elsewhere \\(an earlier file is untouched\\)"),
        e);
    assertEquals("earlier", Files.readString(file));
    assertEquals(1, files());
  }

  @Test
  void failureInTheMiddleRemovesTheTemporaryFile() throws IOException {
    Path file = folder.resolve("scores.csv");
    AtomicFile.write(file, "earlier");
    assertRefused(
        file + ": cannot be written (Input/output error)",
        () ->
            AtomicFile.write(
                file,
                -1,
                out -> {
                  out.write(1);
                  throw new IOException("Input/output error");
                }));
    assertThrows(
        IllegalStateException.class,
        () ->
            AtomicFile.write(
                file,
                -1,
                out -> {
                  throw new IllegalStateException("of the caller");
                }));
    assertEquals("earlier", Files.readString(file));
    assertEquals(1, files());
  }

  @Test
  void interruptedThreadStillWritesTheWholeFile() throws IOException {
    Path file = folder.resolve("checkpoint");
    Thread.currentThread().interrupt();
    try {
      Safetensors.writer().put("w", new long[] {1}, new float[] {3}).write(file);
    } finally {
      assertTrue(Thread.interrupted(), "the interrupt is kept for the caller");
    }
    assertEquals(3, Safetensors.read(file).floats("w")[0]);
  }

  @Test
  void targetsThatCannotBeWrittenAreNamed() throws IOException {
    assertRefused(
        folder + ": cannot be written, it is not a regular file",
        () -> AtomicFile.write(folder, "x"));
    Path file = Files.writeString(folder.resolve("file"), "x");
    Path below = file.resolve("y");
    assertRefused(
        below + ": cannot be written (" + file + " is not a folder)",
        () -> AtomicFile.write(below, "x"));
  }

  @Test
  void whetherAFileCanBeWrittenIsToldWithoutATrace() throws IOException {
    AtomicFile.requireWritable(folder.resolve("a/b/new.txt"));
    Path file = Files.writeString(folder.resolve("file"), "x");
    AtomicFile.requireWritable(file);
    assertEquals(1, files());
    assertEquals("x", Files.readString(file));
    Map<Path, String> bad = new LinkedHashMap<>();
    bad.put(folder, ", it is not a regular file");
    bad.put(file.resolve("y"), " (" + file + " is not a folder)");
    bad.put(file.resolve("y/z"), " (" + file + " is not a folder)");
    bad.forEach(
        (path, why) ->
            assertRefused(
                path + ": cannot be written" + why, () -> AtomicFile.requireWritable(path)));
  }

  @Test
  void linkKeepsPointingToTheReplacedFile() throws IOException {
    Path file = Files.writeString(folder.resolve("step-10"), "old");
    Path link = Files.createSymbolicLink(folder.resolve("latest"), Path.of("step-10"));
    AtomicFile.write(link, "new");
    assertTrue(Files.isSymbolicLink(link));
    assertEquals("new", Files.readString(file));
  }

  /** /dev/stdout leads over such links to the file that the shell opened; it must stay in place. */
  @Test
  void whatIsOpenIsNotReplaced() throws IOException {
    Path open = Path.of("/proc/self/fd");
    Assumptions.assumeTrue(Files.isDirectory(open), "no /proc/self/fd on this system");
    Path file = Files.writeString(folder.resolve("log.txt"), "a line of last month\n");
    try (FileOutputStream out = new FileOutputStream(file.toFile(), true)) {
      Path descriptor;
      try (var all = Files.list(open)) {
        descriptor = all.filter(f -> Files.exists(f) && isSame(f, file)).findFirst().orElseThrow();
      }
      Path link = Files.createSymbolicLink(folder.resolve("link"), descriptor);
      Path further = Files.createSymbolicLink(folder.resolve("further"), Path.of("link"));
      Path fd = Path.of("/dev/fd").resolve(descriptor.getFileName());
      for (Path name : List.of(descriptor, fd, link, further)) {
        if (!Files.exists(name)) continue; // no /dev/fd
        for (Executable write :
            List.<Executable>of(
                () -> AtomicFile.write(name, "scores"), () -> AtomicFile.requireWritable(name))) {
          assertRefused(
              name
                  + ": cannot be written, it is what a program has open, and would be replaced;"
                  + " give the name of a file",
              write);
        }
      }
      out.write("and more\n".getBytes(StandardCharsets.UTF_8));
    }
    assertEquals("a line of last month\nand more\n", Files.readString(file));
    Path sink = Path.of("/dev/null");
    assertRefused(
        sink + ": cannot be written, it is not a regular file", () -> AtomicFile.write(sink, "x"));
  }

  private static boolean isSame(Path a, Path b) {
    try {
      return Files.isSameFile(a, b);
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void leftoversOfKilledProcessesAreRemoved() throws IOException {
    Files.writeString(folder.resolve(".checkpoint.0a1b2c3d.slimvox-tmp"), "half");
    Files.writeString(folder.resolve("checkpoint"), "whole");
    AtomicFile.removeLeftovers(folder);
    assertEquals(1, files());
    assertEquals("whole", Files.readString(folder.resolve("checkpoint")));
  }

  @Test
  void filesThatAreBeingWrittenAreNoLeftovers() throws IOException, InterruptedException {
    Path file = folder.resolve("own");
    AtomicFile.write(
        file,
        -1,
        out -> {
          AtomicFile.removeLeftovers(folder);
          assertEquals(1, files());
        });
    assertTrue(Files.exists(file));
    Path other = folder.resolve(".theirs.0a1b2c3d.slimvox-tmp");
    Path program = Path.of("tests/java/slimvox/storage/LockedFileProgram.java");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                program.toString(),
                other.toString())
            .redirectErrorStream(true)
            .start();
    try {
      assertEquals('+', process.getInputStream().read());
      AtomicFile.removeLeftovers(folder);
      assertEquals(2, files());
    } finally {
      process.destroyForcibly().waitFor(); // at any instant: the lock ends with the process
    }
    AtomicFile.removeLeftovers(folder);
    assertEquals(1, files());
  }
}
