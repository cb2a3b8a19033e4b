package slimvox.binary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cuda.HostBackend;
import slimvox.memory.MemoryBudget;

/** The kernels against convolutions spelt out in loops, at sizes that fill nothing. */
class ConvolutionKernelTest {
  private static final float[] EDGES = {0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE};

  record Case(
      WeightForm form,
      int in,
      int out,
      int kernel,
      int stride,
      int height,
      int width,
      ChannelActivation.Kind activation) {
    Inputs inputs() {
      PackedConvolution layer =
          PackedFixture.convolution(form, in, out, kernel, stride, activation, 5);
      Random random = new Random(6);
      float[] x = PackedFixture.normal(random, height * width * in);
      System.arraycopy(EDGES, 0, x, 0, Math.min(EDGES.length, x.length));
      int pixels = layer.outLength(height) * layer.outLength(width);
      return new Inputs(layer, x, PackedFixture.normal(random, pixels * out));
    }
  }

  private record Inputs(PackedConvolution layer, float[] x, float[] shortcut) {}

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    ChannelActivation.Kind[] kinds = ChannelActivation.Kind.values();
    int[][] shapes = {
      {1, 5, 3, 1, 7, 9}, {7, 6, 3, 2, 9, 11}, {32, 32, 3, 1, 5, 3}, {64, 64, 3, 1, 3, 5},
      {96, 40, 3, 2, 6, 8}, {33, 65, 1, 1, 4, 5}, {16, 70, 1, 2, 7, 6}, {12, 12, 3, 1, 1, 1},
      {130, 31, 3, 1, 2, 17}
    };
    int n = 0;
    for (WeightForm form : List.of(WeightForm.FLOAT32, WeightForm.W1A32, WeightForm.W1A1)) {
      for (int[] s : shapes) {
        cases.add(new Case(form, s[0], s[1], s[2], s[3], s[4], s[5], kinds[n++ % kinds.length]));
      }
    }
    return cases;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputIsThatOfPlainLoops(Case c) {
    Inputs in = c.inputs();
    float[] expected = PlainConvolution.run(in.layer, in.x, c.height, c.width, in.shortcut);
    for (int threads : new int[] {1, 2}) {
      for (boolean vectors : new boolean[] {true, false}) {
        Run run = run(in.layer, in.x, c.height, c.width, in.shortcut, threads, vectors);
        assertArrayEquals(expected, run.floats, "threads " + threads + ", vectors " + vectors);
        assertArrayEquals(PackedFixture.signs(expected, c.out, null), run.signs);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aCardGivesTheSameBits(Case c) {
    Inputs in = c.inputs();
    Run expected = run(in.layer, in.x, c.height, c.width, in.shortcut, 1, true);
    for (boolean backwards : new boolean[] {false, true}) {
      try (Backend cpu = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
          Backend card = HostBackend.open(backwards)) {
        var parallel = ((CpuDevice) cpu.device()).parallel();
        Run run = run(card, parallel, 1, in.layer, in.x, c.height, c.width, in.shortcut, true);
        assertArrayEquals(expected.floats, run.floats);
        assertArrayEquals(expected.signs, run.signs);
      }
    }
  }

  @Test
  void thePaddingOfSignsIsPlusOne() {
    PackedConvolution layer =
        PackedFixture.convolution(WeightForm.W1A1, 3, 1, 3, 1, ChannelActivation.Kind.NONE, 1);
    float[] ones = {1, 1, 1};
    int sum = 0; // of all 27 signs: the one pixel is +1, as its border is
    for (int k = 0; k < 27; k++) sum += 1 - 2 * SignBits.get(layer.signs(), 4, 0, k);
    float t = sum * layer.alpha()[0] - layer.mean()[0];
    float expected = Math.fma(t, layer.scale()[0], layer.shift()[0]);
    Run run = run(new ZeroShift(layer).layer(), ones, 1, 1, new float[1], 1, true);
    assertEquals(expected, run.floats[0]);
  }

  /** The layer without input shift. */
  private record ZeroShift(PackedConvolution from) {
    PackedConvolution layer() {
      return new PackedConvolution(
          from.name(),
          from.form(),
          from.in(),
          from.out(),
          from.kernel(),
          from.stride(),
          from.signs(),
          from.weights(),
          from.alpha(),
          from.mean(),
          from.scale(),
          from.shift(),
          null,
          from.activation());
    }
  }

  private record Run(float[] floats, int[] signs) {}

  private static Run run(
      PackedConvolution layer,
      float[] x,
      int height,
      int width,
      float[] shortcut,
      int threads,
      boolean vectors) {
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED)) {
      var parallel = ((CpuDevice) backend.device()).parallel();
      return run(backend, parallel, threads, layer, x, height, width, shortcut, vectors);
    }
  }

  /** On any backend whose memory is the host's; the input's signs are taken by the processor. */
  private static Run run(
      Backend backend,
      Parallel parallel,
      int threads,
      PackedConvolution layer,
      float[] x,
      int height,
      int width,
      float[] shortcut,
      boolean vectors) {
    try (PlaneMemory memory = new PlaneMemory(backend);
        ConvolutionKernel kernel = new ConvolutionKernel(backend, parallel, layer, vectors)) {
      Plane in = memory.plane(height, width, layer.in(), x);
      if (kernel.takesSigns()) {
        Plane signs = memory.plane(height, width, Plane.words(layer.in()), null);
        SignKernel.run(parallel, in, kernel.inputShift(), signs);
        in = signs;
      }
      int h = layer.outLength(height);
      int w = layer.outLength(width);
      Plane out = memory.plane(h, w, layer.out(), null);
      Plane added = memory.plane(h, w, layer.out(), shortcut);
      Plane signs = memory.plane(h, w, Plane.words(layer.out()), null);
      long scratch = memory.bytes(threads * kernel.scratchBytes());
      kernel.run(
          in, new Epilogue.Target(out.address(), added.address(), signs.address(), 0), scratch);
      return new Run(PlaneMemory.floats(out), PlaneMemory.ints(signs));
    }
  }
}
