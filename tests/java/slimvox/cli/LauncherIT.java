package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** The finished jar through {@code lib/bin/slimvox}. */
class LauncherIT extends CommandLineTest {
  @TempDir Path folder;

  private Run launch(String... args) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("lib/bin/slimvox"));
    command.addAll(List.of(args));
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    // The JVM running this test; without options of the user, which change what the script does.
    builder.environment().put("SLIMVOX_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().keySet().removeAll(List.of("SLIMVOX_JVM_OPTS", "SLIMVOX_XMX"));
    int code = builder.start().waitFor();
    return new Run(code, Files.readString(out), Files.readString(err));
  }

  /** Runs a shell script in which {@code $sv} is the launcher. */
  private Run shell(String script) throws IOException, InterruptedException {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    Files.writeString(folder.resolve("trials"), "1 a b\n0 a c\n");
    Files.writeString(folder.resolve("scores"), "0.9 a b\n0.1 a c\n");
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", script)
            .directory(folder.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().keySet().removeAll(List.of("SLIMVOX_JVM_OPTS", "SLIMVOX_XMX"));
    builder.environment().put("SLIMVOX_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().put("sv", Path.of("lib/bin/slimvox").toAbsolutePath().toString());
    int code = builder.start().waitFor();
    return new Run(code, Files.readString(out), Files.readString(err));
  }

  @Test
  void namesBeyondAsciiAreReadInTheCLocale() throws Exception {
    shell("mkdir jos\u00e9; cp scores trials jos\u00e9; LC_ALL=C $sv evaluate jos\u00e9/*")
        .succeeds();
    shell("LC_ALL=POSIX $sv evaluate jos\u00e9/n\u00f6 trials").failsWith("jos\u00e9/n\u00f6:");
  }

  @Test
  void whatCannotBeWrittenIsNoSuccess() throws Exception {
    shell("$sv evaluate scores trials --json >/dev/full").failsWith("No space left on device");
    shell("$sv --help >/dev/full").failsWith("No space left on device");
    shell("$sv evaluate scores trials >&-").failsWith("standard output is closed");
    shell("$sv evaluate scores trials 2>&- <&-").succeeds();
    Run pipe = shell("set -o pipefail; $sv evaluate scores trials | true");
    assertEquals("", pipe.err());
    assertEquals(Failures.UNREAD, pipe.code());
  }

  @Test
  void whatTheJvmSaysOfItsOptionsIsShown() throws Exception {
    for (String variable : List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SLIMVOX_JVM_OPTS")) {
      shell(variable + "=-XX:+NoSuchFlag $sv evaluate scores trials").failsWith("NoSuchFlag");
      shell(variable + "=-XX:+UseG1GC $sv evaluate scores trials").succeeds();
    }
    shell("SLIMVOX_XMX=much $sv memory").failsWith("-Xmxmuch");
  }

  @Test
  void theArchiveOfClassesIsAConvenience() throws Exception {
    // A checkout of its own: links to everything but the archive.
    shell(
            """
            mkdir -p lib/target; cp -r "${sv%/*}" lib; cp "${sv%/lib*}/pom.xml" .
            cp "${sv%/bin*}/target/slimvox-all.jar" lib/target\
            """)
        .succeeds();
    String run = "; env -u HOME ./lib/bin/slimvox evaluate scores trials --json";
    Run full = shell("(ulimit -f 1000" + run + ")").succeeds();
    assertEquals(1, full.out().lines().count());
    assertEquals("", shell("ls lib/target | grep jsa || true").out());
    shell("true" + run + " >1 & true" + run + " >2; wait; cmp 1 2").succeeds();
    assertEquals(1, shell("ls lib/target | grep jsa").out().lines().count());
    String flip = "printf '\\377\\376\\375' | dd of=%s bs=1 seek=%d conv=notrunc status=none";
    for (int at : new int[] {0, 700, 100_000, 2_000_000}) {
      shell(flip.formatted("lib/target/*.jsa", at) + run).succeeds();
    }
    shell("truncate -s 100000 lib/target/*.jsa" + run).succeeds();
    shell("./lib/bin/slimvox bench step --model ResNet18").failsWith("slimvox-bench.jar");
  }

  @Test
  void theJarOfTheProductHasNoBenchAndNoStudy() throws Exception {
    try (JarFile jar = new JarFile("lib/target/slimvox-all.jar")) {
      assertTrue(jar.stream().noneMatch(e -> e.getName().matches("slimvox/(bench|study)/.*")));
    }
    for (String more : List.of("bench", "study")) {
      try (JarFile jar = new JarFile("lib/target/slimvox-" + more + ".jar")) {
        assertTrue(jar.stream().anyMatch(e -> e.getName().startsWith("slimvox/" + more + "/")));
      }
    }
  }

  @Test
  void aFailureIsOneLineWithoutTheJvmsWarning() throws Exception {
    launch("score", "no.safetensors", "no-trials", "no-scores").failsWith("no-trials");
    launch("train", "nowhere.yaml").failsWith("nowhere.yaml");
    launch("memory", "--model=ResNet35").failsWith("ResNet35");
    launch("memory", "--modle=ResNet34").isRefusedAsUsage("memory", "--model");
  }

  @Test
  void theVersionIsThatOfTheJar() throws Exception {
    String version = launch("--version").succeeds().out();
    assertTrue(
        version.matches("SlimVox \\d+\\.\\d+\\.\\d+\\+(unknown|[0-9a-f]{10}(-dirty)?)\\R"),
        version);
  }

  @Test
  void everyOptionOfMemoryWorksWithTheJvmThatStartsFast() throws Exception {
    String[] command = {
      "memory",
      "--model=ResNet293",
      "--batch=128",
      "--optimizer=adam",
      "--pooling=astp",
      "--budget=500GB",
      "--json"
    };
    assertEquals(128, launch(command).succeeds().json().get("batch").asInt());
    Run cpu = launch("memory", "--model=ResNet18", "--width=4", "--workspace=cpu", "--json");
    assertEquals("cpu", cpu.succeeds().json().get("workspace_of").asText());
  }

  @Test
  void aMeasuredStepRunsOnTheProcessor() throws Exception {
    Run run =
        launch(
            "bench",
            "step",
            "--model=ResNet18",
            "--width=4",
            "--batch=2",
            "--frames=20",
            "--threads=1",
            "--steps=2",
            "--json");
    assertEquals("cpu", run.succeeds().json().get("backend").asText());
  }

  @Test
  void theProgramInTheReadmeRuns() throws Exception {
    String readme = Files.readString(Path.of("README.md"));
    int from = readme.indexOf("```java\n") + 8;
    String program = readme.substring(from, readme.indexOf("```", from));
    assertTrue(readme.contains("-cp lib/target/slimvox-all.jar First.java`"));
    Path source =
        Files.writeString(
            folder.resolve("First.java"),
            program.replace("20 steps\"", "2 steps\", \"model.width=4\", \"run.batch=4\""));
    String printed =
        printed(
            new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                "lib/target/slimvox-all.jar",
                source.toString()));
    assertTrue(printed.contains("EER ") && printed.contains(" bytes at the peak"), printed);
  }

  /** What a program prints that has to end well. */
  private String printed(ProcessBuilder program) throws Exception {
    Path out = folder.resolve("printed");
    int code = program.redirectErrorStream(true).redirectOutput(out.toFile()).start().waitFor();
    String printed = Files.readString(out);
    assertEquals(0, code, printed);
    return printed;
  }

  @Test
  void theExamplesInTheReadmeRunInACell() throws Exception {
    String[] parts = Files.readString(Path.of("README.md")).split("```java\n");
    StringBuilder cells = new StringBuilder();
    for (int i = 1; i < parts.length; i++) {
      cells.append(parts[i], 0, parts[i].indexOf("```")).append(i == 1 ? "main();\n" : "");
    }
    String small = " steps\", \"model.width=4\", \"run.batch=4\"";
    Path source =
        Files.writeString(
            folder.resolve("cells.jsh"),
            cells.toString().replace("=2 steps\"", "=2" + small).replace("20 steps\"", "2" + small)
                + "/exit\n");
    for (String name : List.of("a.wav", "b.wav")) {
      float[] samples = new float[16000];
      for (int i = 0; i < samples.length; i++) samples[i] = (float) Math.sin(i * name.charAt(0));
      WavWriter.writePcm16(folder.resolve(name), new Waveform(samples, 16000));
    }
    String printed =
        printed(
            new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "jshell").toString(),
                    "--class-path",
                    Path.of("lib/target/slimvox-all.jar").toAbsolutePath().toString(),
                    "--add-modules=jdk.incubator.vector",
                    "-R--add-modules=jdk.incubator.vector",
                    "-R--enable-native-access=ALL-UNNAMED",
                    source.toString())
                .directory(folder.toFile())); // not the project's: the corpus is found all the same
    assertTrue(printed.contains("EER ") && printed.contains("4 steps\n"), printed);
    assertFalse(printed.contains("Exception") || printed.contains("Error:"), printed);
    assertTrue(printed.lines().toList().getLast().matches("-?[01]\\.\\d+"), printed);
  }

  @ParameterizedTest
  @CsvSource({"ResNet34, none, 300", "ResNet34, full, 80", "DF-ResNet56, full, 60"})
  void theProcessGrowsByThePeakOfTheLedgerATenthAndAConstant(
      String model, String reversible, long leastMebibytes) throws Exception {
    // The constant is the JVM's own: compiled code, a nursery of 32 MiB, oneDNN's generated code.
    long constant = 96 << 20;
    Run run =
        launch(
            "bench",
            "step",
            "--model=" + model,
            "--reversible=" + reversible,
            "--batch=4",
            "--frames=200",
            "--threads=1",
            "--steps=1",
            "--json");
    long peak = run.succeeds().json().get("peak_bytes").asLong();
    long growth = run.json().get("resident_growth_bytes").asLong();
    assertTrue(peak > leastMebibytes << 20, "the peak of the ledger is " + peak);
    assertTrue(growth <= 1.1 * peak + constant, growth + " bytes for " + peak);
  }
}
