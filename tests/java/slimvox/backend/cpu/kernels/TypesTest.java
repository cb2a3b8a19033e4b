package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.Tensor.Grid;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/**
 * Operations on tensors of other types against the same operations on the same numbers in float32,
 * which other tests compare with float64: the results are the float32 ones, rounded once, to the
 * bit. So an error is at most that of float32 and 2^-8 of the result, or half a step.
 */
class TypesTest {
  private static final float STEP = 0x1p-5f;

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(2));
  private final Operations ops = cpu.ops();
  private final Random random = new Random(7);

  /** Inputs of the type under test; outputs, of it, are in {@code results} afterwards. */
  private interface Work {
    void run(TypesTest t, DataType type, List<Tensor> results);
  }

  private record Case(String name, Work work) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final int[] IMAGE = {3, 8, 34, 12};

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    cases.add(
        new Case(
            "axpy",
            (t, type, r) -> {
              Tensor y = t.input(type, IMAGE);
              t.ops.elementwise.axpy(-1, t.input(type, IMAGE), y);
              r.add(y);
            }));
    cases.add(new Case("relu", (t, type, r) -> t.ops.elementwise.relu(t.in(type), t.out(type, r))));
    cases.add(new Case("gelu", (t, type, r) -> t.ops.elementwise.gelu(t.in(type), t.out(type, r))));
    cases.add(
        new Case(
            "reluBackward",
            (t, type, r) ->
                t.ops.elementwise.reluBackward(t.in(type), t.in(type), t.out(type, r))));
    cases.add(
        new Case(
            "geluBackward",
            (t, type, r) ->
                t.ops.elementwise.geluBackward(t.in(type), t.in(type), t.out(type, r))));
    for (boolean relu : new boolean[] {false, true}) {
      cases.add(
          new Case(
              "batchNormalize, ReLU " + relu,
              (t, type, r) -> {
                Tensor x = t.in(type);
                Channels c = t.statistics(x, r);
                t.ops.normalization.batchNormalize(x, c, t.in(type), relu, t.out(type, r));
                t.ops.normalization.batchNormalize(x, c, null, relu, t.out(type, r));
              }));
    }
    cases.add(
        new Case(
            "batchNormalizeBackward",
            (t, type, r) -> {
              Tensor x = t.in(type);
              Channels c = t.statistics(x, r);
              Channels noBeta = new Channels(c.mean(), c.invStd(), c.gamma(), null);
              Tensor dgamma = t.vector(r);
              Tensor dbeta = t.vector(r);
              var n = t.ops.normalization;
              Tensor dy = t.in(type);
              n.batchNormalizeBackward(x, null, dy, c, dgamma, dbeta, false, null, dy);
              r.add(dy);
              Tensor g = t.in(type);
              Tensor dx = t.out(type, r);
              n.batchNormalizeBackward(x, t.in(type), g, noBeta, dgamma, dbeta, true, g, dx);
              r.add(g);
              n.batchNormalizeBackward(
                  x, null, t.in(type), noBeta, dgamma, dbeta, true, t.out(type, r), t.out(type, r));
            }));
    cases.add(
        new Case(
            "statisticsPooling",
            (t, type, r) -> {
              Tensor x = t.in(type);
              Tensor out = t.cpu.allocate(Category.ACTIVATION, "out", 3, 2 * 8 * 12);
              t.ops.pooling.statisticsPooling(x, 1e-7f, out);
              r.add(out);
              t.ops.pooling.statisticsPoolingBackward(x, out, out, t.out(type, r));
            }));
    cases.add(
        new Case(
            "rearrangement",
            (t, type, r) -> {
              Tensor x = t.in(type);
              Tensor deep = t.tensor(type, 3, 4, 17, 48);
              t.ops.rearrangement.spaceToDepth(x, deep);
              r.add(deep);
              t.ops.rearrangement.depthToSpace(deep, t.out(type, r));
              Tensor part = t.tensor(type, 3, 8, 34, 5);
              t.ops.rearrangement.sliceChannels(x, 3, part);
              r.add(part);
              t.ops.rearrangement.writeChannels(part, 6, x);
              r.add(x);
              Tensor frames = t.cpu.allocate(Category.ACTIVATION, "frames", 3, 34, 96);
              t.ops.rearrangement.framesFirst(x, frames);
              r.add(frames);
              DataType gradient = type.isFixed() ? DataType.FLOAT32 : type;
              t.ops.rearrangement.framesFirstBackward(frames, t.out(gradient, r), false);
            }));
    cases.add(
        new Case(
            "signs, rows times scales",
            (t, type, r) -> {
              Tensor x = t.in(type);
              Tensor shift = t.vector(r);
              Tensor bordered = t.input(type, 3, 10, 36, 12);
              t.ops.binary.signActivationBackward(x, shift, bordered, t.out(type, r));
              t.ops.binary.signActivation(x, shift, bordered);
              r.add(bordered);
              t.ops.binary.scaleRows(shift, x);
              r.add(x);
            }));
    cases.add(
        new Case(
            "signs of more channels than a strip has elements",
            (t, type, r) -> {
              Tensor shift = t.input(DataType.FLOAT32, 2304);
              Tensor y = t.tensor(type, 4, 10, 6, 2304);
              t.ops.binary.signActivation(t.input(type, 4, 8, 4, 2304), shift, y);
              r.add(y);
            }));
    cases.add(
        new Case(
            "PReLU, row by row",
            (t, type, r) -> {
              Tensor x = t.in(type);
              Tensor shift = t.vector(r);
              Tensor slope = t.vector(r);
              Tensor y = t.out(type, r);
              t.ops.binary.prelu(x, shift, slope, y);
              Tensor sum = t.in(type);
              t.ops.matrices.addToRows(shift, sum);
              r.add(sum);
              t.ops.matrices.columnSums(x, t.vector(r), false);
              Tensor dslope = t.vector(r);
              t.ops.binary.preluBackward(
                  x, shift, slope, t.in(type), t.out(type, r), dslope, false);
            }));
    return cases;
  }

  private Tensor in(DataType type) {
    return input(type, IMAGE);
  }

  private Tensor out(DataType type, List<Tensor> results) {
    Tensor y = tensor(type, IMAGE);
    results.add(y);
    return y;
  }

  /** Random C values, among the results: what is written to them is compared. */
  private Tensor vector(List<Tensor> results) {
    Tensor x = input(DataType.FLOAT32, 12);
    results.add(x);
    return x;
  }

  private Channels statistics(Tensor x, List<Tensor> results) {
    Channels c = new Channels(vector(results), vector(results), vector(results), vector(results));
    ops.normalization.batchStatistics(x, 1e-5f, c.mean(), c.invStd());
    return c;
  }

  private Tensor tensor(DataType type, int... lengths) {
    Grid grid = null;
    if (type.isFixed()) {
      grid = new Grid(DataType.FLOAT32);
      grid.setStep(STEP);
    }
    return cpu.allocate(Category.ACTIVATION, "x", type, grid, Shape.of(lengths));
  }

  /** Multiples of {@link #STEP} within 4, which every type holds. */
  private Tensor input(DataType type, int... lengths) {
    Tensor x = cpu.allocate(Category.ACTIVATION, "x", lengths);
    float[] values = new float[Math.toIntExact(x.size())];
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.clamp(Math.round(32 * random.nextGaussian()), -127, 127) * STEP;
    }
    ops.upload(values, x);
    return as(type, x);
  }

  private Tensor as(DataType type, Tensor x) {
    if (type == DataType.FLOAT32) return x;
    Tensor y = tensor(type, x.shape().toArray());
    ops.elementwise.convert(x, y);
    return y;
  }

  private float[] values(Tensor x) {
    if (x.type() == DataType.FLOAT32) return ops.floats(x);
    try (Tensor y = cpu.allocate(Category.ACTIVATION, "floats", x.shape().toArray())) {
      ops.elementwise.convert(x, y);
      return ops.floats(y);
    }
  }

  static Stream<Object[]> casesAndTypes() {
    return Stream.of(DataType.BFLOAT16, DataType.FIXED16, DataType.FIXED8)
        .flatMap(type -> cases().stream().map(c -> new Object[] {c, type}));
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("casesAndTypes")
  void resultsAreThoseOfFloat32Rounded(Case c, DataType type) {
    List<float[]> wide = new ArrayList<>();
    List<Tensor> results = new ArrayList<>();
    random.setSeed(1);
    c.work.run(this, DataType.FLOAT32, results);
    for (Tensor t : results) wide.add(values(t));
    List<Tensor> narrow = new ArrayList<>();
    random.setSeed(1);
    c.work.run(this, type, narrow);
    assertEquals(wide.size(), narrow.size());
    for (int i = 0; i < wide.size(); i++) {
      float[] expected = wide.get(i).clone();
      DataType of = narrow.get(i).type();
      for (int j = 0; j < expected.length; j++) expected[j] = rounded(expected[j], of);
      assertArrayEquals(expected, values(narrow.get(i)), "result " + i);
    }
  }

  private static float rounded(float x, DataType type) {
    if (type == DataType.BFLOAT16) return DataType.ofBfloat16(DataType.bfloat16(x));
    if (!type.isFixed()) return x;
    return (float) Math.clamp(Math.rint(x / STEP), -type.largest(), type.largest()) * STEP
        + 0f; // -0 is 0
  }

  /** What a type cannot hold is its largest number, and the grid knows. */
  @Test
  void anOverflowIsToldToTheGrid() {
    float[] values = new float[5000];
    values[4321] = -1000;
    Tensor x = cpu.allocate(Category.ACTIVATION, "x", values.length);
    ops.upload(values, x);
    for (DataType type : new DataType[] {DataType.FIXED16, DataType.FIXED8}) {
      Tensor y = tensor(type, values.length);
      ops.elementwise.fill(y, 0);
      ops.elementwise.addRounded(1, x, STEP, y, null);
      assertEquals(1000, y.grid().largest());
      float most = type.largest() * STEP;
      assertEquals(Math.max(-1000, -most), values(y)[4321]);
      y.grid().forgetLargest();
      values[17] = Float.NaN;
      ops.upload(values, x);
      ops.elementwise.addRounded(1, x, STEP, y, null);
      assertTrue(Float.isNaN(y.grid().largest()));
      values[17] = 0;
      ops.upload(values, x);
    }
  }
}
