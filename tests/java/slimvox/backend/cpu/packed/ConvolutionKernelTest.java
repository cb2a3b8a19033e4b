package slimvox.backend.cpu.packed;

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
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cuda.HostBackend;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedFixture;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.PlaneMemory;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
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
      int pixels = layer.shape().outLength(height) * layer.shape().outLength(width);
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
        Run run = run(in, c.height, c.width, threads, vectors);
        assertArrayEquals(expected, run.floats, "threads " + threads + ", vectors " + vectors);
        assertArrayEquals(PackedFixture.signs(expected, c.out, null), run.signs);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aCardGivesTheSameBits(Case c) {
    Inputs in = c.inputs();
    Run expected = run(in, c.height, c.width, 1, true);
    for (boolean backwards : new boolean[] {false, true}) {
      try (Backend card = HostBackend.open(backwards)) {
        Run run = run(card, card.ops().packed, in, c.height, c.width);
        assertArrayEquals(expected.floats, run.floats);
        assertArrayEquals(expected.signs, run.signs);
      }
    }
  }

  @Test
  void thePaddingOfSignsIsPlusOne() {
    var none = ChannelActivation.Kind.NONE;
    PackedConvolution shifted = PackedFixture.convolution(WeightForm.W1A1, 3, 1, 3, 1, none, 1);
    PackedConvolution layer =
        new PackedConvolution(
            shifted.shape(),
            shifted.signs(),
            null,
            shifted.alpha(),
            shifted.mean(),
            shifted.scale(),
            shifted.shift(),
            null,
            ChannelActivation.NONE);
    int sum = 0; // of all 27 signs: the one pixel is +1, as its border is
    for (int k = 0; k < 27; k++) sum += 1 - 2 * SignBits.get(layer.signs(), 4, 0, k);
    float t = sum * layer.alpha()[0] - layer.mean()[0];
    float expected = Math.fma(t, layer.scale()[0], layer.shift()[0]);
    Run run = run(new Inputs(layer, new float[] {1, 1, 1}, new float[1]), 1, 1, 1, true);
    assertEquals(expected, run.floats[0]);
  }

  private record Run(float[] floats, int[] signs) {}

  private static Run run(Inputs in, int height, int width, int threads, boolean vectors) {
    try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED)) {
      var parallel = ((CpuDevice) backend.device()).parallel();
      Packed packed = new Packed(backend, new CpuPacked(parallel, vectors));
      return run(backend, packed, in, height, width);
    }
  }

  /** On any backend whose memory is the host's. */
  private static Run run(Backend backend, Packed packed, Inputs inputs, int height, int width) {
    PackedConvolution layer = inputs.layer;
    LayerShape shape = layer.shape();
    try (PlaneMemory memory = new PlaneMemory(backend);
        LaidConvolution laid = packed.lay(layer)) {
      Plane x =
          shape.takesSigns()
              ? memory.plane(
                  height,
                  width,
                  shape.inElements(),
                  PackedFixture.signs(inputs.x, shape.in(), layer.inputShift()))
              : memory.plane(height, width, shape.in(), inputs.x);
      int h = shape.outLength(height);
      int w = shape.outLength(width);
      Plane out = memory.plane(h, w, shape.out(), (int[]) null);
      Plane added = memory.plane(h, w, shape.out(), inputs.shortcut);
      Plane signs = memory.plane(h, w, Plane.words(shape.out()), (int[]) null);
      Tensor workspace = memory.bytes(packed.convolveWorkspace(shape));
      packed.convolve(laid, x, new Packed.Target(out, added, signs, null), workspace);
      return new Run(PlaneMemory.floats(out), PlaneMemory.ints(signs));
    }
  }
}
