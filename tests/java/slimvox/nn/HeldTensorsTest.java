package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Function;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.models.Models;

/**
 * Every layer with tensors that somebody else still holds: a layer may write into a tensor that it
 * was given only if nobody else owns it, whatever the mode. The gradients are those of a layer that
 * owns everything alone, to the bit, and what is held stays as it was.
 */
class HeldTensorsTest {
  private static final int[] IMAGE = {2, 8, 10, 6};

  private static List<GradientTest.Case> cases() {
    List<GradientTest.Case> cases = new ArrayList<>(GradientTest.cases());
    add(cases, "no layer", b -> new Sequential());
    add(cases, "space to depth", b -> new SpaceToDepth(b, "d", 2));
    add(cases, "space to depth of frequencies", b -> new SpaceToDepth(b, "d", 1));
    for (boolean rebuild : new boolean[] {false, true}) {
      for (int slice : new int[] {0, 4}) {
        for (boolean after : new boolean[] {false, true}) {
          for (boolean keep : new boolean[] {false, true}) {
            if (slice > 0 && (after || keep)) continue;
            String name = "branch rebuild %s slice %d end %s keep %s";
            add(
                cases,
                name.formatted(rebuild, slice, after, keep),
                b -> branch(b, after, rebuild, slice, keep));
          }
        }
      }
    }
    for (ReversibleSequence.Form form : ReversibleSequence.Form.values()) {
      for (boolean stored : new boolean[] {false, true}) {
        for (boolean grid : new boolean[] {false, true}) {
          String name = "reversible %s stored %s grid %s".formatted(form, stored, grid);
          add(cases, name, b -> reversible(b, form, stored, grid));
        }
      }
    }
    for (BinaryScheme scheme : EnumSet.complementOf(EnumSet.of(BinaryScheme.NONE))) {
      boolean shifts = scheme.binaryActivations();
      add(
          cases,
          "binary " + scheme,
          b -> new BinaryConv2d(b, "c", 6, 6, 3, 1, scheme, BinaryGradient.values()[0], shifts));
    }
    List<GradientTest.Case> checkpointed = new ArrayList<>();
    for (GradientTest.Case c : cases) {
      if (c.name().startsWith("reversible")) continue; // rebuilds itself
      checkpointed.add(
          new GradientTest.Case(
              "checkpointed " + c.name(),
              c.input(),
              b -> new ActivationCheckpoint(c.layer().apply(b))));
    }
    cases.addAll(checkpointed);
    int[] features = {2, 16, 20, 1};
    ModelSpec spec = ModelSpec.of("ResNet18", "width=4", "bins=16", "embeddingSize=8");
    cases.add(new GradientTest.Case("network", features, b -> Models.build(spec, b)));
    cases.add(new GradientTest.Case("padding", features, b -> new ZeroPadding(b, "z", 8, 4)));
    return cases;
  }

  private static void add(
      List<GradientTest.Case> cases, String name, Function<Backend, Layer> layer) {
    cases.add(new GradientTest.Case(name, IMAGE, layer));
  }

  private static Branch branch(Backend b, boolean after, boolean rebuild, int slice, boolean keep) {
    List<BatchNorm2d> norms = new ArrayList<>();
    norms.add(after ? null : new BatchNorm2d(b, "n1", 6, true));
    norms.add(new BatchNorm2d(b, "n2", 10, true));
    List<Conv2d> convolutions =
        List.of(new Conv2d(b, "c1", 6, 10, 3, 1), new Conv2d(b, "c2", 10, 6, 3, 1));
    BatchNorm2d last = after ? new BatchNorm2d(b, "n3", 6, false) : null;
    return new Branch(norms, convolutions, last, new Branch.Memory(rebuild, slice, keep));
  }

  /** Couplings with every layer at the end that could write into the gradient of its output. */
  private static ReversibleSequence reversible(
      Backend b, ReversibleSequence.Form form, boolean stored, boolean onGrid) {
    int width = form == ReversibleSequence.Form.HALVES ? 3 : 6;
    FixedPoint grid = onGrid ? new FixedPoint("s") : null;
    List<Reversible> stages =
        List.of(
            new AdditiveCoupling(
                new Sequential(
                    new Conv2d(b, "f", width, width, 3, 1), new PReLU(b, "p", width, true)),
                new ResidualBlock(
                    new Conv2d(b, "g", width, width, 3, 1),
                    new BatchNorm2d(b, "n", width, true),
                    null),
                grid),
            new AdditiveCoupling(
                new Sequential(
                    new Conv2d(b, "h", width, width, 3, 1),
                    new Nonlinearity(b, "r", Nonlinearity.Function.RELU)),
                null,
                grid),
            new SpaceToDepth(b, "d", 2));
    ReversibleSequence sequence = new ReversibleSequence("s", form, stages, grid, DataType.FLOAT32);
    if (stored) sequence.store();
    return sequence;
  }

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  @Test
  void everyLayerIsHere() {
    Set<String> covered = new TreeSet<>();
    for (GradientTest.Case c : cases()) {
      try (Layer layer = c.layer().apply(cpu)) {
        covered.add(layer.getClass().getName());
      }
    }
    covered.add(AdditiveCoupling.class.getName()); // of "reversible", as is no layer
    Set<String> all = new TreeSet<>();
    new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("slimvox")
            .stream()
            .filter(c -> c.isAssignableTo(Layer.class) || c.isAssignableTo(Reversible.class))
            .filter(c -> !c.isInterface())
            .forEach(c -> all.add(c.getName()));
    assertEquals(all, covered, "a layer without a case");
  }

  /** How forward and backward are called. */
  private enum Way {
    TRAIN,
    RECOMPUTE,
    REPLAY
  }

  @ParameterizedTest
  @MethodSource("cases")
  void anUpstreamGradientThatIsHeldStaysAsItWas(GradientTest.Case c) {
    for (Way way : Way.values()) {
      if (way != Way.TRAIN && c.name().startsWith("reversible")) continue; // rebuilds itself
      if (way == Way.REPLAY && !keepsShape(c)) continue;
      List<float[]> alone = gradients(c, way, false);
      List<float[]> held = gradients(c, way, true);
      assertEquals(alone.size(), held.size());
      for (int i = 0; i < alone.size(); i++) {
        assertArrayEquals(alone.get(i), held.get(i), c + " " + way + ", gradient " + i);
      }
    }
    cpu.ledger().checkOnly();
  }

  private boolean keepsShape(GradientTest.Case c) {
    try (Layer layer = c.layer().apply(cpu);
        Tensor x = filled(new SplittableRandom(1), c.input())) {
      layer.initialize(new SplittableRandom(2));
      try (Tensor y = layer.forward(x, Mode.EVALUATE)) {
        return y.shape().equals(x.shape()) && x.shape().get(-1) > 1;
      }
    }
  }

  private Tensor filled(SplittableRandom random, int... lengths) {
    Tensor x = cpu.allocate(Category.ACTIVATION, "x", lengths);
    float[] values = new float[Math.toIntExact(x.size())];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    cpu.ops().upload(values, x);
    return x;
  }

  /** The input's gradient (if there is one) and those of the parameters. */
  private List<float[]> gradients(GradientTest.Case c, Way way, boolean hold) {
    SplittableRandom random = new SplittableRandom(3);
    List<float[]> found = new ArrayList<>();
    try (Layer layer = c.layer().apply(cpu);
        Tensor x = filled(random, c.input())) {
      layer.initialize(random);
      float[] before = cpu.ops().floats(x);
      Tensor sum = way == Way.REPLAY ? filled(random, c.input()) : null;
      int[] lengths;
      if (sum == null) {
        if (way == Way.RECOMPUTE) layer.forward(x, Mode.TRAIN_WITHOUT_KEEPING).close();
        try (Tensor y = layer.forward(x, Mode.valueOf(way.name()))) {
          lengths = y.shape().toArray();
        }
      } else {
        layer.forwardAdd(sum, x, Mode.TRAIN_WITHOUT_KEEPING);
        lengths = c.input();
      }
      Tensor dy = filled(random, lengths);
      float[] upstream = cpu.ops().floats(dy);
      if (hold) dy.retain();
      Tensor dx = sum == null ? layer.backward(dy) : layer.recomputeAndBackward(x, dy, sum);
      if (dx != null) found.add(cpu.ops().floats(dx));
      if (hold) {
        assertArrayEquals(upstream, cpu.ops().floats(dy), c + " " + way + ": the held gradient");
        dy.close();
      }
      if (dx != null) dx.close();
      if (sum != null) sum.close();
      assertArrayEquals(before, cpu.ops().floats(x), c + " " + way + ": the input");
      for (Parameter p : StateDict.of(layer).parameters().values()) {
        found.add(cpu.ops().floats(p.gradient()));
        p.dropGradient();
      }
    }
    return found;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void anInputThatIsHeldStaysAsItWasInEveryMode(GradientTest.Case c) {
    SplittableRandom random = new SplittableRandom(3);
    try (Layer layer = c.layer().apply(cpu);
        Tensor x = filled(random, c.input())) {
      layer.initialize(random);
      float[] before = cpu.ops().floats(x);
      for (Mode mode : new Mode[] {Mode.EVALUATE, Mode.CALIBRATE, Mode.TRAIN}) {
        Tensor y = layer.forwardReusing(x.retain(), mode);
        assertArrayEquals(before, cpu.ops().floats(x), c + " in " + mode);
        float[] output = cpu.ops().floats(y);
        if (mode != Mode.TRAIN) {
          y.close();
          continue;
        }
        Tensor dx = layer.backward(filled(random, y.shape().toArray()));
        assertArrayEquals(output, cpu.ops().floats(y), c + ": the output that is held");
        y.close();
        if (dx != null) dx.close();
      }
      for (Parameter p : StateDict.of(layer).parameters().values()) p.dropGradient();
    }
    cpu.ledger().checkOnly();
  }
}
