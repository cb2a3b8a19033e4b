package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.packed.WeightForm;
import slimvox.binary.PackedModel;
import slimvox.binary.PackedNetwork;
import slimvox.binary.Packer;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.optim.Adam;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;

/**
 * Training steps at the papers' sizes, launched on a card that computes nothing: every launch is
 * one that each kind of card can take.
 */
class FullSizeLaunchesTest {
  private static final int FRAMES = 200;
  private static final int CLASSES = 5994;
  private static final String BINARY = "binary.scheme=bwn";

  // Of a multiprocessor, every card from 7.5 to 12.0, for one block: CUDA C++ Programming Guide,
  // table of technical specifications. Registers are given to a warp in portions of 256.
  private static final int REGISTERS = 65536;
  private static final int REGISTER_PORTION = 256;
  private static final int REGISTERS_OF_A_THREAD = 255;
  private static final int STATIC_SHARED_BYTES = 48 << 10;
  private static final int WARP = 32;

  /**
   * A step.
   *
   * @param most launches that it may have
   */
  record Step(
      ModelSpec model,
      int batch,
      OptimizerStateFormat state,
      boolean adam,
      boolean tf32,
      int most) {
    TrainingStep build(Backend backend) {
      return new TrainingStep(
          Models.build(model, backend),
          new AamSoftmax(backend, model.embeddingSize(), CLASSES, 32),
          (b, parameters) ->
              adam
                  ? new Adam(b, parameters, 0.9, 0.999, 1e-8, 1e-4, true, state)
                  : new Sgd(b, parameters, 0.9, 0, 1e-4, true, state));
    }

    /** Launches the step twice; the card knows of the second. */
    IdleCard launch() {
      IdleCard card = new IdleCard();
      return launch(card, card.device(tf32));
    }

    /** The same on a device on that card. */
    IdleCard launch(IdleCard card, CudaDevice device) {
      try (Backend backend = new Backend(device);
          PlannedTraining training = new PlannedTraining(backend, this::build)) {
        training.step().initialize(new SplittableRandom(1));
        float[] features = new float[batch * model.bins() * FRAMES];
        training.readEvery(2, batch);
        int[] labels = new int[batch];
        training.queue(features, labels, 0.2, 0.1, null);
        card.forget();
        training.queue(features, labels, 0.2, 0.1, null);
        training.results(); // waits for the card
        return card;
      }
    }
  }

  /** The main network of the memory paper. */
  static final Step DF_RESNET_233 =
      sgd(ModelSpec.of("DF-ResNet233", "reversible=full"), OptimizerStateFormat.EIGHT_BIT, 2165);

  private static final List<Step> STEPS =
      List.of(
          sgd(ModelSpec.of("ResNet34"), OptimizerStateFormat.FLOAT32, 415),
          new Step(ModelSpec.of("ResNet34"), 128, OptimizerStateFormat.EIGHT_BIT, true, true, 420),
          sgd(ModelSpec.of("ResNet34", BINARY), OptimizerStateFormat.FLOAT32, 520),
          DF_RESNET_233,
          sgd(
              ModelSpec.of("DF-ResNet56", "reversible=full", "rebuild=true", "slice=64"),
              OptimizerStateFormat.EIGHT_BIT,
              745));

  private static Step sgd(ModelSpec model, OptimizerStateFormat state, int most) {
    return new Step(model, 128, state, false, false, most);
  }

  private static final Set<IdleCard.Launch> LAUNCHES = new HashSet<>();
  private static final Set<String> UNALIGNED = new TreeSet<>();
  private static final Map<Step, Map<String, Integer>> COUNTS = new HashMap<>();

  @BeforeAll
  static void launchAll() {
    for (Step step : STEPS) {
      IdleCard card = step.launch();
      COUNTS.put(step, card.counts());
      LAUNCHES.addAll(card.launches());
      UNALIGNED.addAll(card.unaligned());
    }
    for (String scheme : List.of(BINARY, "binary.scheme=w1a1")) embed(scheme);
  }

  /** Utterances of two lengths by a packed network. */
  private static void embed(String scheme) {
    IdleCard card = new IdleCard();
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Backend backend = new Backend(card.device(false));
        Network network = Models.build(ModelSpec.of("ResNet34", scheme), cpu)) {
      network.initialize(new Random(1));
      PackedModel model = Packer.pack(network, scheme, WeightForm.INT8, Map.of());
      try (PackedNetwork packed = new PackedNetwork(backend, model)) {
        for (int frames : new int[] {FRAMES, 3 * FRAMES}) {
          packed.embed(new Features(new float[frames * 80], frames, 80));
        }
      }
    }
    LAUNCHES.addAll(card.launches());
    UNALIGNED.addAll(card.unaligned());
  }

  @Test
  void aStepHasFewLaunches() {
    List<String> many = new ArrayList<>();
    COUNTS.forEach(
        (step, counts) -> {
          int all = counts.values().stream().mapToInt(n -> n).sum();
          if (all > step.most) many.add(step + " has " + all + " launches: " + counts);
        });
    assertEquals(List.of(), many);
  }

  @Test
  void aBlockIsKeptUntilTheCardWasWaitedFor() {
    IdleCard card = new IdleCard();
    long x = card.allocate(64);
    card.launch("relu", Grid.of(1, 256), x, x, 16L);
    var e = assertThrows(AssertionError.class, () -> card.free(x));
    assertEquals("relu 1 is a block that is freed while it is queued", e.getMessage());
    long y = card.allocate(64);
    card.launch("relu", Grid.of(1, 256), y, y, 16L);
    card.download(y, MemorySegment.ofArray(new float[16]));
    card.free(y);
  }

  /**
   * Kernels read and write quads wherever rows allow it; flags of parameters and numbers of a step
   * are words.
   */
  @Test
  void everyTensorLiesWhereQuadsCanBeRead() {
    assertEquals(Set.of("not_finite 1", "number"), UNALIGNED);
  }

  static Stream<Nvrtc.Target> cards() {
    return Nvrtc.cards();
  }

  @ParameterizedTest
  @MethodSource("cards")
  void everyLaunchIsOneThatTheCardCanTake(Nvrtc.Target target) {
    Map<String, KernelNeeds> needs = KernelNeeds.of(target);
    for (IdleCard.Launch launch : LAUNCHES) {
      KernelNeeds kernel = needs.get(launch.kernel());
      String where = launch + " on " + target + " by " + kernel;
      assertNotNull(kernel, where);
      var grid = launch.grid(); // whose blocks and threads it has checked itself
      int threads = grid.blockX() * grid.blockY() * grid.blockZ();
      assertTrue(threads <= kernel.mostThreads(), where);
      int warps = (threads + WARP - 1) / WARP;
      int portions = (kernel.registers() * WARP + REGISTER_PORTION - 1) / REGISTER_PORTION;
      assertTrue(warps * portions * REGISTER_PORTION <= REGISTERS, where);
      assertTrue(kernel.registers() <= REGISTERS_OF_A_THREAD, where);
      assertTrue(kernel.sharedBytes() <= STATIC_SHARED_BYTES, where);
      List<Integer> passed =
          launch
              .types()
              .chars()
              .mapToObj(c -> c == 's' ? IdleCard.TABLE : c == 'l' ? 8 : 4)
              .collect(Collectors.toList());
      assertEquals(kernel.parameters(), passed, where);
    }
  }
}
