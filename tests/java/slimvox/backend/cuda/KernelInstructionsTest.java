package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.cuda.driver.KernelSource;

/**
 * Instructions of loops that would be bound by them and not by memory, counted in the machine code
 * for an H100. With 29.7 T instructions a second of its threads and 3 TB/s, an element that is read
 * and written once (8 bytes) may cost 79.
 */
class KernelInstructionsTest {
  private static final Path DISASSEMBLER = Nvrtc.FOLDER.resolve("cu13/bin/nvdisasm");
  private static final Pattern FUNCTION = Pattern.compile("^\\.text\\.(\\w+):$");
  private static final Pattern LABEL = Pattern.compile("^(\\.L_x_\\d+):$");
  private static final Pattern INSTRUCTION = Pattern.compile("^/\\*[0-9a-f]{4,}\\*/ +(.*);");
  private static final Pattern BRANCH = Pattern.compile("BRA.*`\\((\\.L_x_\\d+)\\)");

  @TempDir private Path folder;

  /**
   * The loop of a kernel that has the instructions asked for.
   *
   * @param has a part of an instruction
   * @param times how often it is there, or more often: a loop may have a body for each case
   * @param elements that one of them stands for
   * @param most instructions an element
   */
  @ParameterizedTest
  @CsvSource({
    "depthwise_strips, STG.E.128, 3, 4, 20",
    "depthwise_strips_weight, LDG.E.128, 12, 1, 22", // of four loads of four channels one is dy
    "weight_gradient_32, FFMA, 256, 1, 1.9",
    "weight_gradient_tf32_64, HMMA, 8, 1, 25",
  })
  void loopsHaveFewInstructions(String kernel, String has, int times, double elements, double most)
      throws Exception {
    double fewest = Double.MAX_VALUE;
    List<String> code = code(kernel);
    Map<String, Integer> labels = new HashMap<>();
    for (int i = 0; i < code.size(); i++) {
      Matcher label = LABEL.matcher(code.get(i));
      if (label.matches()) labels.put(label.group(1), i);
      Matcher branch = BRANCH.matcher(code.get(i));
      if (!branch.find() || !labels.containsKey(branch.group(1))) continue; // forward
      List<String> loop =
          code.subList(labels.get(branch.group(1)), i + 1).stream()
              .filter(line -> INSTRUCTION.matcher(line).find())
              .toList();
      long count = loop.stream().filter(line -> line.contains(has)).count();
      if (count >= times) fewest = Math.min(fewest, loop.size() / (count * elements));
    }
    assertTrue(fewest <= most, kernel + ": " + fewest + " instructions an element");
  }

  private List<String> code(String kernel) throws Exception {
    Nvrtc.Target h100 = Nvrtc.cards().filter(t -> t.capability() == 90).findFirst().orElseThrow();
    assumeTrue(Files.exists(DISASSEMBLER), "no nvdisasm: run tests/nvrtc");
    Path file = folder.resolve("code.cubin");
    Files.write(file, h100.compile(KernelSource.of(kernel)).cubin());
    Process process =
        new ProcessBuilder(DISASSEMBLER.toString(), "-c", file.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    List<String> code = new ArrayList<>();
    boolean here = false;
    for (String line : output.lines().map(String::strip).toList()) {
      Matcher function = FUNCTION.matcher(line);
      if (function.matches()) here = function.group(1).equals(kernel);
      if (here) code.add(line);
    }
    return code;
  }
}
