package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/** Streams of whole numbers are undone to the bit, at any depth and in slices. */
class FixedStreamsTest {
  private static final int[] IMAGE = {2, 8, 16, 8};

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(2));

  /** Changes nothing; remembers what passes by in both directions. */
  private final class Probe implements Reversible {
    private long forward;
    private long backward;

    @Override
    public void forward(Streams x, Mode mode) {
      forward = hash(x);
    }

    @Override
    public void backward(Streams y, Streams dy) {
      backward = hash(y);
    }

    private long hash(Streams x) {
      long hash = 0;
      for (Tensor t : List.of(x.first(), x.second())) {
        try (Tensor floats = cpu.allocate(Category.ACTIVATION, "floats", t.shape().toArray())) {
          cpu.ops().elementwise.convert(t, floats);
          for (float f : cpu.ops().floats(floats)) hash = 31 * hash + Float.floatToIntBits(f);
        }
      }
      return hash;
    }
  }

  private Branch branch(String name, int channels, int slice) {
    int inner = 12;
    return new Branch(
        List.of(
            new BatchNorm2d(cpu, name + ".bn1", channels, true),
            new BatchNorm2d(cpu, name + ".bn2", inner, true),
            new BatchNorm2d(cpu, name + ".bn3", inner, true)),
        List.of(
            new Conv2d(cpu, name + ".conv1", channels, inner, 1, 1),
            new Conv2d(cpu, name + ".conv2", inner, inner, 3, 1, 1, inner, true),
            new Conv2d(cpu, name + ".conv3", inner, channels, 1, 1)),
        null,
        new Branch.Memory(true, slice, false));
  }

  private Tensor tensor(DataType type, float scale) {
    SplittableRandom random = new SplittableRandom(3);
    try (Tensor floats = cpu.allocate(Category.ACTIVATION, "x", IMAGE)) {
      float[] values = new float[Math.toIntExact(floats.size())];
      for (int i = 0; i < values.length; i++) values[i] = scale * (float) random.nextGaussian();
      cpu.ops().upload(values, floats);
      Tensor x = cpu.allocate(Category.ACTIVATION, "x", type, Shape.of(IMAGE));
      cpu.ops().elementwise.convert(floats, x);
      return x;
    }
  }

  @ParameterizedTest
  @CsvSource({
    "FIXED16, BFLOAT16, 0", "FIXED16, BFLOAT16, 5", "FIXED16, FLOAT32, 5",
    "FIXED8, BFLOAT16, 0", "FIXED8, BFLOAT16, 5", "FIXED8, FLOAT32, 0",
  })
  void everyStateOfSixtyCouplingsComesBack(DataType held, DataType type, int slice) {
    List<Probe> probes = new ArrayList<>();
    List<Reversible> stages = new ArrayList<>();
    SpaceToDepth down = new SpaceToDepth(cpu, "down", 2);
    for (int i = 0; i < 60; i++) {
      if (i == 30) stages.add(down);
      probes.add(new Probe());
      stages.add(probes.getLast());
      int channels = i < 30 ? 8 : 32;
      stages.add(
          new AdditiveCoupling(
              branch("b" + i + ".f", channels, slice), branch("b" + i + ".g", channels, slice)));
    }
    var form = ReversibleSequence.Form.TWINS;
    try (var sequence = new ReversibleSequence("s", form, stages, null, held)) {
      sequence.initialize(new SplittableRandom(1));
      try (Tensor x = tensor(type, 1)) {
        Tensor y = forward(sequence, x);
        assertEquals(type, y.type());
        sequence.backward(y).close();
      }
      StateDict.of(sequence).parameters().values().forEach(Parameter::dropGradient);
    }
    for (Probe probe : probes) assertEquals(probe.forward, probe.backward);
    assertNotEquals(probes.getFirst().forward, probes.getLast().forward);
    cpu.ledger().checkOnly();
  }

  /** As a training step does: again with a larger step as long as one is too small. */
  private Tensor forward(ReversibleSequence sequence, Tensor x) {
    for (int i = 0; i < 20; i++) {
      long mark = cpu.ledger().mark();
      try {
        return sequence.forward(x, Mode.TRAIN);
      } catch (ReversibleSequence.Overflow e) {
        assertTrue(e.raiseStep(), e.getMessage());
        cpu.ledger().freeSince(mark);
      }
    }
    throw new AssertionError("no step is large enough");
  }

  @Test
  void anOverflowNamesWhereAndStopsIfTheStreamIsNoNumber() {
    var stages = List.of(new AdditiveCoupling(branch("b0.f", 4, 0), branch("b0.g", 4, 0)));
    var form = ReversibleSequence.Form.HALVES;
    var sequence = new ReversibleSequence("s", form, stages, null, DataType.FIXED8);
    sequence.initialize(new SplittableRandom(1));
    Tensor x = tensor(DataType.FLOAT32, 1000);
    var e = assertThrows(ReversibleSequence.Overflow.class, () -> sequence.forward(x, Mode.TRAIN));
    assertTrue(e.getMessage().startsWith("s: a stream reached "), e.getMessage());
    assertTrue(e.raiseStep());
    cpu.ops().elementwise.fill(x, Float.NaN);
    e = assertThrows(ReversibleSequence.Overflow.class, () -> sequence.forward(x, Mode.TRAIN));
    assertTrue(!e.raiseStep(), e.getMessage());
  }

  /** What a coupling adds is named by its block. */
  @Test
  void theBlockIsNamed() {
    Branch f = branch("layer1.7.f", 4, 0);
    var stages = List.of(new AdditiveCoupling(f, null));
    var form = ReversibleSequence.Form.HALVES;
    var sequence = new ReversibleSequence("s", form, stages, null, DataType.FIXED8);
    sequence.initialize(new SplittableRandom(1));
    StateDict state = StateDict.of(sequence);
    cpu.ops().elementwise.fill(state.parameters().get("layer1.7.f.conv3.weight").value(), 100);
    try (Tensor x = tensor(DataType.FLOAT32, 1)) {
      var e =
          assertThrows(ReversibleSequence.Overflow.class, () -> sequence.forward(x, Mode.TRAIN));
      assertTrue(e.getMessage().startsWith("layer1.7: a stream reached "), e.getMessage());
    }
    assertEquals(64 - 2, state.counters().get("s.step").get().getAsLong());
    state.counters().get("s.step").set().accept(64 + 3);
    assertEquals(64 + 3, state.counters().get("s.step").get().getAsLong());
  }
}
