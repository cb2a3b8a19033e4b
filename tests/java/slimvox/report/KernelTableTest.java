package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import slimvox.backend.Hardware.KernelTime;

class KernelTableTest {
  private static final List<KernelTime> KERNELS =
      List.of(
          new KernelTime("convolution", "convolve_64", 30, 50),
          new KernelTime("batch norm", "bn_statistics", 34, 25),
          new KernelTime("convolution", "weight_gradient_64", 16, 12.5),
          new KernelTime("batch norm", "bn_backward4", 34, 10),
          new KernelTime("convolution", "reorder_weight", 60, 2),
          new KernelTime("convolution", "sum_weight_splits", 16, 0.5));

  @Test
  void familiesStandByTheirShareWithTheirLongestKernels() {
    assertEquals(
        """

        kernels of one step                      ms    share  launches
        convolution                          65.000   65.0 %       122
          convolve_64                        50.000   50.0 %        30
          weight_gradient_64                 12.500   12.5 %        16
          reorder_weight                      2.000    2.0 %        60
        batch norm                           35.000   35.0 %        68
          bn_statistics                      25.000   25.0 %        34
          bn_backward4                       10.000   10.0 %        34
        all                                 100.000  100.0 %       190
        """,
        new KernelTable(KERNELS).text());
  }

  @Test
  void jsonHasSharesAndEveryKernel() {
    Map<String, Object> values = new LinkedHashMap<>();
    new KernelTable(KERNELS).put(values);
    assertEquals(100.0, values.get("kernel_ms"));
    assertEquals(
        Map.of("convolution", 65.0, "batch norm", 35.0), values.get("kernel_shares_percent"));
    assertEquals(6, ((List<?>) values.get("kernels")).size());
  }
}
