package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
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
  private record Step(
      ModelSpec model,
      int batch,
      OptimizerStateFormat state,
      boolean adam,
      boolean tf32,
      int most) {
    TrainingStep build(Backend backend) {
      return new TrainingStep(
          Models.build(model, backend),
          new AamSoftmax(backend, model.embeddingSize(), CLASSES, 32, false),
          (b, parameters) ->
              adam
                  ? new Adam(b, parameters, 0.9, 0.999, 1e-8, 1e-4, true, state)
                  : new Sgd(b, parameters, 0.9, 0, 1e-4, true, state));
    }
  }

  private static final List<Step> STEPS =
      List.of(
          sgd(ModelSpec.of("ResNet34"), OptimizerStateFormat.FLOAT32, 488),
          new Step(ModelSpec.of("ResNet34"), 128, OptimizerStateFormat.EIGHT_BIT, true, true, 489),
          sgd(ModelSpec.of("ResNet34", "binary.scheme=bwn"), OptimizerStateFormat.FLOAT32, 593),
          sgd(
              ModelSpec.of("DF-ResNet233", "reversible=full"),
              OptimizerStateFormat.EIGHT_BIT,
              2857),
          sgd(
              ModelSpec.of("DF-ResNet56", "reversible=full", "rebuild=true", "slice=64"),
              OptimizerStateFormat.EIGHT_BIT,
              906));

  private static Step sgd(ModelSpec model, OptimizerStateFormat state, int most) {
    return new Step(model, 128, state, false, false, most);
  }

  private static final Set<IdleCard.Launch> LAUNCHES = new HashSet<>();
  private static final Set<String> UNALIGNED = new TreeSet<>();
  private static final Map<Step, Map<String, Integer>> COUNTS = new HashMap<>();

  @BeforeAll
  static void launchAll() {
    for (Step step : STEPS) {
      IdleCard card = new IdleCard();
      try (Backend backend = new Backend(card.device(step.tf32));
          PlannedTraining training = new PlannedTraining(backend, step::build)) {
        training.step().initialize(new SplittableRandom(1));
        float[] features = new float[step.batch * step.model.bins() * FRAMES];
        training.readEvery(2, step.batch);
        int[] labels = new int[step.batch];
        training.queue(features, labels, 0.2, 0.1, null);
        card.forget();
        training.queue(features, labels, 0.2, 0.1, null);
        COUNTS.put(step, card.counts());
        LAUNCHES.addAll(card.launches());
        UNALIGNED.addAll(card.unaligned());
      }
    }
  }

  @Test
  void aStepHasFewLaunches() {
    COUNTS.forEach(
        (step, counts) -> {
          int all = counts.values().stream().mapToInt(n -> n).sum();
          assertTrue(all <= step.most, step + " has " + all + " launches: " + counts);
        });
  }

  /** Kernels read and write quads wherever rows allow it; a flag of a parameter is one word. */
  @Test
  void everyTensorLiesWhereQuadsCanBeRead() {
    assertEquals(Set.of("not_finite 1"), UNALIGNED);
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
