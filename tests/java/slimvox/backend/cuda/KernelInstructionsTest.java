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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.kernels.TiledConvolutions;

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

  // H100: 132 multiprocessors of 4 x 32 threads at 1.755 GHz; what copying reaches of 3.35 TB/s.
  private static final double INSTRUCTIONS_A_SECOND = 132 * 128 * 1.755e9;
  private static final double BYTES_A_SECOND = 3e12;
  private static final double TF32_A_SECOND = 495e12 / 2; // multiply-adds, without sparsity

  private static final String PRODUCTS = "cuBLAS";

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
    "depthwise_strips_normalized, STG.E.128, 3, 4, 34",
    "depthwise_strips_normalized_weight, LDG.E.128, 12, 1, 36",
    "one_channel_strips, STG.E.128, 3, 4, 20",
    "one_channel_strips_weight, LDG.E.128, 3, 4, 22",
    "bn_statistics, LDG.E, 4, 1, 10",
    "bn_normalize4, STG.E.128, 1, 4, 12",
    "bn_backward_sums, LDG.E, 12, 0.333, 40", // of three loads one is x
    "bn_backward4, STG.E.128, 1, 4, 20",
    "weight_gradient_32, FFMA, 256, 1, 1.9",
    "weight_gradient_tf32_64, HMMA, 8, 1, 25",
  })
  void loopsHaveFewInstructions(String kernel, String has, int times, double elements, double most)
      throws Exception {
    double fewest = instructions(kernel, has, times, elements);
    assertTrue(fewest <= most, kernel + ": " + fewest + " instructions an element");
  }

  /**
   * A step of DF-ResNet233 of type II, batch 128, on an H100: each kernel takes as long as its
   * instructions or its bytes, whichever is longer; memory alone would take as long as its bytes.
   * No kernel of ours is bound by its instructions. Products in float32 are, at their best: each
   * function of a type II network is computed, computed again and differentiated, eight products
   * whose multiply-adds take 177 ms at the card's peak without tensor cores. Fewer bytes leave that
   * as it is, so float32 is held to the bytes of the same step where batch normalization is done
   * before a depthwise convolution, not on reading; and to what it takes now.
   */
  @Test
  void aStepTakesAboutAsLongAsMemory() throws Exception {
    StringBuilder table = new StringBuilder("a step of DF-ResNet233, type II, batch 128\n");
    double float32 = 0;
    double tf32 = 0;
    double floor = 0;
    for (var entry : FullSizeLaunchesTest.DF_RESNET_233.launch().work().entrySet()) {
      KernelWork work = entry.getValue();
      boolean product = entry.getKey().equals(PRODUCTS);
      double an = product ? 1 : perElement(entry.getKey());
      double byInstructions = work.elements() * an / INSTRUCTIONS_A_SECOND;
      double byBytes = work.bytes() / BYTES_A_SECOND;
      float32 += Math.max(byInstructions, byBytes);
      tf32 += Math.max(product ? work.elements() / TF32_A_SECOND : byInstructions, byBytes);
      floor += byBytes;
      String line = "%-24s %5.1f instructions an element, %6.1f ms; %6.1f GB, %6.1f ms%n";
      table.append(
          line.formatted(
              entry.getKey(), an, 1e3 * byInstructions, work.bytes() / 1e9, 1e3 * byBytes));
    }
    double before = normalizingBefore();
    table.append("by memory %.1f ms, %.1f unfused%n".formatted(1e3 * floor, 1e3 * before));
    table.append("float32 %.1f ms, %.3f times that%n".formatted(1e3 * float32, float32 / floor));
    table.append("TF32 %.1f ms, %.3f times that%n".formatted(1e3 * tf32, tf32 / floor));
    System.out.print(table);
    assertTrue(tf32 <= 1.25 * floor, table.toString());
    assertTrue(float32 <= 1.27 * before, table.toString());
    assertTrue(float32 <= 0.345, table.toString());
  }

  /** Seconds that the bytes of a step take where no convolution normalizes what it reads. */
  private static double normalizingBefore() {
    IdleCard card = new IdleCard();
    var own = new TiledConvolutions(card, card, false);
    CudaDevice device = card.device(HostDevice.normalizingBefore(own));
    return FullSizeLaunchesTest.DF_RESNET_233.launch(card, device).work().values().stream()
            .mapToLong(KernelWork::bytes)
            .sum()
        / BYTES_A_SECOND;
  }

  private double perElement(String kernel) throws Exception {
    return switch (kernel) {
      case "depthwise_strips_weight", "depthwise_strips_normalized_weight" ->
          instructions(kernel, "LDG.E.128", 12, 1);
      case "depthwise_strips", "depthwise_strips_normalized" ->
          instructions(kernel, "STG.E.128", 3, 4);
      case "bn_statistics" -> instructions(kernel, "LDG.E", 4, 1);
      case "bn_backward_sums" -> instructions(kernel, "LDG.E", 12, 1 / 3.0);
      case "bn_normalize4", "bn_backward4" -> instructions(kernel, "STG.E.128", 1, 4);
      case "add_scaled" ->
          code(kernel).stream().filter(l -> INSTRUCTION.matcher(l).find()).count() / 4.0;
      default -> instructions(kernel, "STG.E", 1, 1);
    };
  }

  private double instructions(String kernel, String has, int times, double elements)
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
    return fewest;
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
