package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a card is tried with first, tests/cuda/card_kernels.py, on the stand-ins. */
class CardKernelsTest {
  @TempDir private Path folder;

  /** All but the large convolutions, which would take the host a minute. */
  @Test
  void kernelsLaunchedFromPythonAgreeWithNumpy() throws Exception {
    int checks = 0;
    FakeLibraries.all(folder);
    for (String only :
        List.of(
            "k1 s2",
            "depthwise",
            "one channel",
            "batch norm",
            "product",
            "cross",
            "quantize",
            "adam")) {
      String output = run(only);
      assertTrue(output.contains(" checks, 0 wrong\n"), only + ": " + output);
      checks += Integer.parseInt(output.replaceFirst("(?s).*?(\\d+) checks.*", "$1"));
    }
    assertEquals(17, checks);
  }

  private String run(String only) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
                "python3",
                "tests/cuda/card_kernels.py",
                "--nvrtc",
                folder.resolve("libnvrtc.so.12").toString(),
                "--small",
                "--only",
                only)
            .redirectErrorStream(true);
    builder.environment().put("LD_LIBRARY_PATH", folder.toString());
    builder.environment().put("FAKE_KERNELS", HostKernels.library().toString());
    try {
      Process process = builder.start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int status = process.waitFor();
      assumeTrue(!output.contains("No module named 'numpy'"), "no NumPy in python3");
      assertEquals(0, status, output);
      return output;
    } catch (IOException e) {
      assumeTrue(false, "no python3");
      throw e;
    }
  }
}
