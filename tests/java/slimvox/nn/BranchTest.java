package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cuda.HostBackend;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;

class BranchTest {
  /** Pre-activation: s to e channels, (depthwise,) e to s. */
  private static Branch branch(
      Backend backend, boolean depthwise, int kernel, int s, int e, boolean rebuild, int slice) {
    List<BatchNorm2d> norms = new ArrayList<>();
    norms.add(new BatchNorm2d(backend, "bn1", s, true));
    norms.add(new BatchNorm2d(backend, "bn2", e, true));
    List<Conv2d> convolutions = new ArrayList<>();
    convolutions.add(new Conv2d(backend, "conv1", s, e, kernel, 1));
    if (depthwise) {
      norms.add(new BatchNorm2d(backend, "bn3", e, true));
      convolutions.add(new Conv2d(backend, "conv2", e, e, 3, 1, 1, e, true));
    }
    convolutions.add(new Conv2d(backend, "conv3", e, s, kernel, 1));
    return new Branch(norms, convolutions, null, new Branch.Memory(rebuild, slice, false));
  }

  private static Map<String, float[]> recomputeAndBackward(
      boolean depthwise, int kernel, int s, int e, int slice, int times) {
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Branch branch = branch(cpu, depthwise, kernel, s, e, slice > 0, slice)) {
      return results(branch, cpu, s, Mode.TRAIN_WITHOUT_KEEPING, times);
    }
  }

  /** What a branch gives forward and backward, computed again for it unless it is kept. */
  private static Map<String, float[]> results(
      Branch branch, Backend backend, int s, Mode mode, int times) {
    Map<String, float[]> results = new LinkedHashMap<>();
    try (Tensor x = backend.allocate(Category.ACTIVATION, "x", 2, 5, 7, s)) {
      SplittableRandom random = new SplittableRandom(11);
      branch.initialize(random);
      float[] values = new float[(int) x.size()];
      float[] up = new float[values.length];
      for (int i = 0; i < up.length; i++) {
        values[i] = (float) random.nextGaussian();
        up[i] = (float) random.nextGaussian();
      }
      backend.ops().upload(values, x);
      for (int i = 0; i < times; i++) {
        Tensor y = backend.allocateLike(x, Category.ACTIVATION, "y");
        backend.ops().elementwise.fill(y, 0);
        branch.forwardAdd(y, x, mode);
        results.put("forward", backend.ops().floats(y));
        Tensor dy = backend.allocateLike(x, Category.ACTIVATION_GRADIENT, "dy");
        backend.ops().upload(up, dy);
        backend.ops().elementwise.fill(y, 0);
        try (Tensor dx =
            mode.keeps() ? branch.backward(dy) : branch.recomputeAndBackward(x, dy, y)) {
          results.put("dx", backend.ops().floats(dx));
          results.put("again", backend.ops().floats(y));
        }
        y.close();
      }
      StateDict state = StateDict.of(branch);
      for (Parameter p : state.parameters().values()) {
        results.put(p.name() + ".grad", backend.ops().floats(p.gradient()));
        p.dropGradient();
      }
      for (Tensor b : state.buffers().values()) results.put(b.label(), backend.ops().floats(b));
      try (Tensor y = branch.forward(x, Mode.EVALUATE)) {
        results.put("evaluate", backend.ops().floats(y));
      }
      if (backend.name().equals("cpu")) {
        backend.ledger().checkOnly(Category.PARAMETER, Category.ACTIVATION);
      } else {
        HostBackend.checkOnly(backend.ledger(), Category.PARAMETER, Category.ACTIVATION);
      }
    }
    return results;
  }

  /**
   * A card's depthwise convolutions normalize what they read, to the same bits; what they read is
   * then no tensor, but where PyTorch's layers keep one.
   */
  @ParameterizedTest
  @CsvSource({
    "TRAIN_WITHOUT_KEEPING, false, 0, -1",
    "TRAIN_WITHOUT_KEEPING, true, 0, 0",
    "TRAIN_WITHOUT_KEEPING, true, 12, 0",
    "TRAIN, true, 0, 0",
    "TRAIN, false, 0, 0"
  })
  void normalizingOnReadingChangesNoBit(Mode mode, boolean rebuild, int slice, int wider) {
    List<Map<String, float[]>> both = new ArrayList<>();
    List<Long> peaks = new ArrayList<>();
    List<Long> buffers = new ArrayList<>();
    for (boolean reading : new boolean[] {false, true}) {
      try (Backend card = reading ? HostBackend.open(false) : HostBackend.normalizingBefore();
          Branch branch = branch(card, true, 1, 8, 28, rebuild, slice)) {
        card.ledger().startTimeline();
        both.add(results(branch, card, 8, mode, 1));
        List<MemoryLedger.Event> events = card.ledger().stopTimeline();
        buffers.add(events.stream().filter(e -> e.label().startsWith("bn2.")).count());
        peaks.add(card.ledger().report().peak().get(Category.ACTIVATION));
      }
    }
    assertEquals(both.get(0).keySet(), both.get(1).keySet());
    both.get(0).forEach((name, floats) -> assertArrayEquals(floats, both.get(1).get(name), name));
    assertEquals(peaks.get(0) + wider * 4L * 2 * 5 * 7 * 28, peaks.get(1));
    boolean pytorch = mode == Mode.TRAIN && !rebuild;
    assertTrue(pytorch || buffers.get(1) < buffers.get(0), buffers.toString());
  }

  @ParameterizedTest
  @CsvSource({
    "true, 1, 6, 24, 8",
    "true, 1, 6, 24, 5",
    "true, 1, 16, 64, 16",
    "true, 1, 3, 7, 100",
    "false, 3, 6, 12, 4",
    "false, 3, 8, 9, 2",
    "false, 1, 4, 10, 3"
  })
  void slicesGiveTheWholeBranchToRounding(boolean depthwise, int kernel, int s, int e, int slice) {
    for (int times = 1; times <= 2; times++) { // the second time gradients are added to
      Map<String, float[]> whole = recomputeAndBackward(depthwise, kernel, s, e, 0, times);
      Map<String, float[]> sliced = recomputeAndBackward(depthwise, kernel, s, e, slice, times);
      assertEquals(whole.keySet(), sliced.keySet());
      for (String name : whole.keySet()) {
        float size = 1; // gradients of 0, left over where large ones cancel, have none
        for (float v : whole.get(name)) size = Math.max(size, Math.abs(v));
        assertArrayEquals(whole.get(name), sliced.get(name), 1e-5f * size, name);
      }
    }
  }

  @Test
  void theOutputComputedAgainIsThatOfForwardToTheBit() {
    for (int slice : new int[] {0, 8}) {
      Map<String, float[]> results = recomputeAndBackward(true, 1, 6, 24, slice, 1);
      float[] again = results.get("again");
      for (int i = 0; i < again.length; i++) again[i] = -again[i] + 0f; // what was subtracted
      assertArrayEquals(results.get("forward"), again, "slice " + slice);
    }
  }

  @Test
  void statisticsOfAForwardWithoutBackwardAreReturned() {
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Branch branch = branch(cpu, true, 1, 6, 24, true, 8);
        Tensor x = cpu.allocate(Category.INPUT, "x", 2, 5, 7, 6);
        Tensor y = cpu.allocate(Category.INPUT, "y", 2, 5, 7, 6)) {
      branch.initialize(new SplittableRandom(11));
      cpu.ops().elementwise.fill(x, 1);
      cpu.ops().elementwise.fill(y, 0);
      for (Mode mode : new Mode[] {Mode.CALIBRATE, Mode.EVALUATE}) branch.forwardAdd(y, x, mode);
      cpu.ledger().checkOnly(Category.PARAMETER, Category.INPUT);
    }
  }

  @Test
  void aSliceIsAllThatExistsOfTheInside() {
    long[] peaks = new long[2];
    int[] slices = {0, 4};
    for (int i = 0; i < 2; i++) {
      try (Backend dry = new Backend(new DryDevice());
          Branch branch = branch(dry, true, 1, 4, 64, i > 0, slices[i]);
          Tensor x = dry.allocate(Category.INPUT, "x", 2, 40, 50, 4)) {
        Tensor y = dry.allocateLike(x, Category.ACTIVATION, "y");
        branch.forwardAdd(y, x, Mode.TRAIN_WITHOUT_KEEPING);
        Tensor dy = dry.allocateLike(x, Category.ACTIVATION_GRADIENT, "dy");
        dry.ledger().startTimeline();
        branch.recomputeAndBackward(x, dy, y).close();
        y.close();
        peaks[i] =
            dry.ledger().stopTimeline().stream()
                .mapToLong(event -> event.totalBytes())
                .max()
                .getAsLong();
        for (Parameter p : StateDict.of(branch).parameters().values()) p.dropGradient();
      }
    }
    long channel = 2 * 40 * 50 * 4;
    // x, dy, p, y, dp of 4 channels each and three buffers of a slice; parameters come on top.
    assertTrue(peaks[1] < (5 + 3 + 1) * 4 * channel, peaks[1] + " bytes in slices");
    assertTrue(peaks[0] > 4 * 64 * channel, peaks[0] + " bytes as a whole");
  }
}
