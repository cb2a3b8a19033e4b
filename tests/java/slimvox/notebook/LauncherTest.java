package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shell side of the command line: which JDK is found, and what is said if one is not. */
class LauncherTest {
  private static final String FINDER = Path.of("lib/bin/find-jdk.sh").toAbsolutePath().toString();

  @TempDir Path folder;

  private Script bash(Map<String, String> environment, String script) {
    return Script.run(folder, environment, "bash", "-c", "set -eu; . '" + FINDER + "'; " + script);
  }

  /** A folder that looks like a JDK of this version, with these modules. */
  private Path jdk(String name, String version, String modules) throws IOException {
    Path home = Files.createDirectories(folder.resolve(name));
    Files.createDirectories(home.resolve("bin"));
    Files.writeString(home.resolve("release"), "JAVA_VERSION=\"" + version + "\"\n");
    Path java = home.resolve("bin/java");
    Files.writeString(java, "#!/bin/sh\nprintf '" + modules + "'\n");
    assertTrue(java.toFile().setExecutable(true));
    return home;
  }

  @Test
  void binderInstallsWhatTheEnvironmentFileLists() throws IOException {
    assertEquals(
        Files.readString(Path.of("environment.yml")),
        Files.readString(Path.of(".binder/environment.yml")),
        "cp environment.yml .binder/");
    assertTrue(Files.isExecutable(Path.of(".binder/postBuild")));
  }

  @Test
  void theJdkTheUserNamesComesFirst() throws IOException {
    Path home =
        jdk(
            "jdk with space",
            "26.0.1",
            "jdk.compiler@26\\njdk.incubator.vector@26\\njdk.jshell@26");
    Script run = bash(Map.of("SLIMVOX_JAVA_HOME", home.toString()), "find_jdk; echo \"$JDK\"");
    assertEquals(home + "\n", run.output());
    assertEquals(0, run.status());
  }

  @Test
  void aJdkThatIsTooOldOrNotWholeIsPassedOver() throws IOException {
    Path old = jdk("old", "17.0.15", "jdk.compiler@17\\njdk.incubator.vector@17\\njdk.jshell@17");
    Path small = jdk("small", "25", "java.base@25\\njdk.incubator.vector@25");
    Script run =
        bash(
            Map.of("SLIMVOX_JAVA_HOME", old.toString(), "JAVA_HOME", small.toString()),
            "find_jdk; \"$JDK/bin/java\" -version 2>&1 | head -1");
    assertEquals(0, run.status(), run.output());
    assertTrue(run.output().contains("version \"" + Runtime.version().feature()), run.output());
  }

  @Test
  void whatWasLookedAtIsListedIfThereIsNone() throws IOException {
    Path old = jdk("old", "17.0.15", "");
    Script run =
        bash(
            Map.of("SLIMVOX_JAVA_HOME", old.toString()),
            "jdk_version() { echo 17; }; find_jdk || exit 7");
    assertEquals(7, run.status());
    assertTrue(
        run.output().startsWith("SlimVox needs a JDK, version 25 or newer, and found none."),
        run.output());
    assertTrue(run.output().contains("  " + old + " (Java 17)\n"), run.output());
    assertTrue(run.output().contains("set SLIMVOX_JAVA_HOME"), run.output());
  }

  @Test
  void flagsComeFromThePomAndTheUser() {
    Script run =
        bash(
            Map.of("SLIMVOX_JVM_OPTS", "-Dx=1"),
            "echo $(jvm_flags '" + Path.of("").toAbsolutePath() + "')");
    assertTrue(run.output().startsWith("--add-modules=jdk.incubator.vector "), run.output());
    assertTrue(run.output().endsWith(" -Dx=1\n"), run.output());
  }

  @Test
  void aMissingJarSaysHowToBuildIt() throws IOException {
    Path bin = Files.createDirectories(folder.resolve("project/lib/bin"));
    Path launcher = bin.resolve("slimvox");
    Files.copy(
        Path.of("lib/bin/slimvox"), launcher, java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);
    Path link =
        Files.createSymbolicLink(folder.resolve("slimvox"), Path.of("project/lib/bin/slimvox"));
    Script run = Script.run(Path.of("/"), Map.of(), link.toString(), "info");
    assertEquals(2, run.status(), run.output());
    assertEquals(
        "slimvox: lib/target/slimvox-all.jar is missing; build it: cd '"
            + folder.toRealPath().resolve("project")
            + "' && mvn -q package -DskipTests\n",
        run.output());
  }

  @Test
  void linesAreCountedByPackageInTwoGroups() throws IOException {
    long all = 0;
    for (String root : new String[] {"lib/java", "lib/bench", "lib/kernel", "lib/study"}) {
      try (Stream<Path> files = Files.walk(Path.of(root))) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
          all += Files.readAllLines(file).size();
        }
      }
    }
    String lines = Path.of("lib/bin/lines").toAbsolutePath().toString();
    String[] counted = Script.run(folder, Map.of(), lines).output().split("\\R");
    long core = count(counted, "core");
    assertTrue(core > 0, String.join("\n", counted));
    assertEquals(all, core + count(counted, "around it"));
    assertEquals(all, count(counted, "Java"));
    assertTrue(count(counted, "  backend.cpu") > 0 && count(counted, "  study") > 0);
  }

  private static long count(String[] lines, String name) {
    for (String line : lines) {
      if (line.matches(name + " +\\d+")) return Long.parseLong(line.replaceAll(".* ", ""));
    }
    return -1;
  }

  @Test
  void namesBeyondAsciiCanBeReadInEveryLocale() {
    String any = "utf8_names; locale charmap";
    for (String locale : new String[] {"C", "POSIX", "xx_XX", "C.UTF-8"}) {
      // bash itself warns of a locale that is not installed
      assertTrue(bash(Map.of("LC_ALL", locale), any).output().endsWith("UTF-8\n"), locale);
    }
    String unset = "unset LC_ALL LC_CTYPE LANG; ";
    assertEquals("UTF-8\n", bash(Map.of(), unset + any).output());
    assertEquals(
        "C.UTF-8", bash(Map.of("LC_ALL", "C"), "utf8_names; echo $LC_ALL").output().strip());
  }
}
