package slimvox.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.AdamStep;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.cpu.CpuDevice;
import slimvox.nn.Parameter;
import slimvox.optim.OptimizerStateFormat.Map;
import slimvox.optim.OptimizerStateFormat.Scale;

/**
 * What no history of gradients may do to a parameter whose optimizer has 8-bit state: move it
 * farther than 32 bits can, make it infinite, or move it without a gradient.
 */
class EightBitUpdateTest {
  private static final int STEPS = 300;
  private static final int SIZE = 1300; // blocks of 256 and a shorter one
  private static final float RATE = 1e-3f;

  /** Gradients of one element in all steps. */
  private interface History {
    double at(int step, SplittableRandom random);
  }

  /** What an element can go through; {@code size} spans six decades within a block. */
  private static History history(int kind, double size, int start) {
    return switch (kind) {
      case 0 -> (t, r) -> size * r.nextGaussian();
      case 1 -> (t, r) -> r.nextInt(2) * size * r.nextGaussian(); // zeros between
      case 2 -> (t, r) -> t == start ? size : 0; // a row that is used once
      case 3 -> (t, r) -> t % 50 == start % 50 ? size * r.nextGaussian() : 0; // or seldom
      case 4 -> (t, r) -> size * (r.nextInt(100) == 0 ? 1e4 : 1) * r.nextGaussian(); // outliers
      case 5 -> (t, r) -> t < start ? 0 : size; // a late starter, of one sign
      case 6 -> (t, r) -> t < start ? size : 0; // one that stops
      case 7 -> (t, r) -> size * Math.pow(0.999 / 0.9, t - STEPS); // the worst for Adam
      case 8 -> (t, r) -> t == start ? 1e20 : size * r.nextGaussian(); // a square of infinity
      case 9 -> (t, r) -> t == start ? 1e-40 : 1e-30 * r.nextGaussian(); // a square of zero
      default -> (t, r) -> 0;
    };
  }

  private static final int KINDS = 11; // the last has no gradient

  private static float[][] histories(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    History[] histories = new History[SIZE];
    for (int i = 0; i < SIZE; i++) {
      int kind = random.nextInt(KINDS);
      if (kind == 8 && i / 256 != 1) kind = 10; // the other blocks go on learning
      histories[i] = history(kind, Math.pow(10, -6 * random.nextDouble()), random.nextInt(STEPS));
    }
    float[][] gradients = new float[STEPS][SIZE];
    for (int t = 0; t < STEPS; t++) {
      for (int i = 0; i < SIZE; i++) gradients[t][i] = (float) histories[i].at(t, random);
    }
    return gradients;
  }

  static List<OptimizerStateFormat> formats() {
    List<OptimizerStateFormat> formats = new ArrayList<>();
    for (Map map : new Map[] {Map.DYNAMIC, Map.LINEAR}) {
      for (int block : new int[] {16, 256, 1024}) {
        formats.add(new OptimizerStateFormat(8, block, map, Scale.BLOCK, 0));
      }
      formats.add(new OptimizerStateFormat(8, 256, map, Scale.TENSOR, 0));
    }
    return formats;
  }

  /** Makes an optimizer of one parameter. */
  private interface Rule {
    Optimizer of(Backend backend, List<Parameter> parameters, OptimizerStateFormat format);
  }

  /** The parameter after each step, from zero. */
  private static float[][] path(Rule rule, OptimizerStateFormat format, float[][] gradients) {
    try (Backend backend = new Backend(CpuDevice.open(1));
        Parameter p = new Parameter(backend, "p", gradients[0].length);
        Optimizer optimizer = rule.of(backend, List.of(p), format)) {
      backend.ops().elementwise.fill(p.value(), 0);
      float[][] path = new float[gradients.length][];
      for (int t = 0; t < gradients.length; t++) {
        backend.ops().upload(gradients[t], p.gradient());
        optimizer.step(RATE);
        path[t] = backend.ops().floats(p.value());
      }
      return path;
    }
  }

  private static Rule adam(double beta1, double beta2, double epsilon) {
    return (b, p, format) -> new Adam(b, p, beta1, beta2, epsilon, 0, true, format);
  }

  /** What an element moved in a step, and how much of that may be rounding of the parameter. */
  private static void assertMoved(double bound, float[][] path, int t, int i, String what) {
    double before = t == 0 ? 0 : path[t - 1][i];
    double moved = Math.abs(path[t][i] - before);
    if (moved <= bound + 2 * Math.ulp(path[t][i])) return;
    assertEquals(bound, moved, what + ": element " + i + ", step " + (t + 1));
  }

  // ---- Adam

  @ParameterizedTest
  @MethodSource("formats")
  void noStepOfAdamIsLargerThanGradientsCanMakeIt(OptimizerStateFormat format) {
    double[][] settings = {{0.9, 0.999, 1e-8}, {0.9, 0.99, 1e-8}, {0.5, 0.9, 1e-12}, {0, 0.9, 1}};
    for (double[] s : settings) {
      float[][] gradients = histories(31);
      float[][] path = path(adam(s[0], s[1], s[2]), format, gradients);
      float[][] full = path(adam(s[0], s[1], s[2]), OptimizerStateFormat.FLOAT32, gradients);
      for (int t = 0; t < STEPS; t++) {
        AdamStep step = new AdamStep(RATE, s[0], s[1], s[2], 0, true, t + 1);
        double size = RATE / (1 - Math.pow(s[0], t + 1)) * Math.sqrt(1 - Math.pow(s[1], t + 1));
        double end = (1 - s[0]) / Math.sqrt((1 - s[1]) * (1 - s[0] * s[0] / s[1]));
        double twice = Math.min(2 * step.largestRatio(), end);
        for (int i = 0; i < SIZE; i++) {
          String what = format + ", betas " + s[0] + " and " + s[1];
          assertTrue(Float.isFinite(path[t][i]) || !Float.isFinite(full[t][i]), what);
          assertMoved(1.00001 * size * twice, path, t, i, what);
          if (s[2] < 1e-6) {
            assertMoved(1.00001 * size * step.largestRatio(), full, t, i, "32 bits: " + what);
          }
        }
      }
      assertStill(gradients, path, format);
    }
  }

  /** A parameter that never had a gradient is where it was. */
  private static void assertStill(
      float[][] gradients, float[][] path, OptimizerStateFormat format) {
    int still = 0;
    for (int i = 0; i < SIZE; i++) {
      int element = i;
      if (Arrays.stream(gradients).anyMatch(g -> g[element] != 0)) continue;
      for (int t = 0; t < STEPS; t++) assertEquals(0, path[t][i], format + ": element " + i);
      still++;
    }
    assertTrue(still > SIZE / 20, still + " elements had no gradient");
  }

  /** Few such elements are in any other test: the bound is reached, and not by formula alone. */
  @Test
  void theLargestRatioIsReachedByGradientsThatGrowAsTheDecaysDo() {
    for (double[] betas : new double[][] {{0.9, 0.999}, {0.9, 0.81}, {0.9, 0.5}, {0, 0.9}}) {
      double m = 0;
      double v = 0;
      for (int t = 1; t <= 30; t++) {
        double g = betas[0] == 0 ? t == 30 ? 1 : 0 : Math.pow(betas[1] / betas[0], t);
        m = betas[0] * m + (1 - betas[0]) * g;
        v = betas[1] * v + (1 - betas[1]) * g * g;
      }
      AdamStep step = new AdamStep(RATE, betas[0], betas[1], 1e-8, 0, true, 30);
      assertEquals(m / Math.sqrt(v), step.largestRatio(), 1e-9 * step.largestRatio());
      assertTrue(step.leastRoot() > 0 && Float.isFinite(step.leastRoot()));
    }
    assertEquals(0, new AdamStep(RATE, 0.9, 0, 1e-8, 0, true, 2).leastRoot(), "no bound at all");
    assertEquals(1, new AdamStep(RATE, 0.9, 0.999, 1e-8, 0, true, 1).largestRatio(), 2.17);
  }

  // ---- SGD

  /**
   * b is at most the sum of momentum^k |g|, and what rounding added: half the largest distance of
   * two codes times the scale of the block, each time.
   */
  @ParameterizedTest
  @MethodSource("formats")
  void noStepOfSgdIsLargerThanGradientsCanMakeIt(OptimizerStateFormat format) {
    CodeBook book = format.book(true);
    double half = 0;
    for (int c = 1; c < CodeBook.SIZE; c++) {
      half = Math.max(half, (book.value(c) - (double) book.value(c - 1)) / 2);
    }
    half = Math.max(half, book.value(0) + 1); // -1 becomes the first code
    int block = format.blockOf(SIZE);
    for (boolean nesterov : new boolean[] {false, true}) {
      float[][] gradients = histories(32);
      Rule rule = (b, p, f) -> new Sgd(b, p, 0.9, 0, 0, nesterov, f);
      float[][] path = path(rule, format, gradients);
      double[] bound = new double[SIZE];
      for (int t = 0; t < STEPS; t++) {
        for (int from = 0; from < SIZE; from += block) {
          double largest = 0;
          int to = Math.min(SIZE, from + block);
          for (int i = from; i < to; i++) {
            double size = Math.abs(gradients[t][i]);
            bound[i] = 1.000001 * (0.9f * bound[i] + size);
            largest = Math.max(largest, bound[i]);
            assertTrue(Float.isFinite(path[t][i]), format + ": element " + i);
            double step = RATE * (nesterov ? size + 0.9f * bound[i] : bound[i]);
            if (Math.abs(path[t][i]) < 1e6)
              assertMoved(1.000001 * step, path, t, i, format.toString());
          }
          for (int i = from; i < to; i++) if (bound[i] > 0) bound[i] += half * largest;
        }
      }
      assertStill(gradients, path, format);
    }
  }

  // ---- gradients that end

  /** In 32 bits it moves a few rates more; the nearest 8-bit code would hold its momentum. */
  @ParameterizedTest
  @CsvSource({"adam, 256", "adam, 2048", "sgd, 256", "nesterov, 1024"})
  void aParameterWhoseGradientBecameZeroComesToRest(String name, int block) {
    Rule rule =
        name.equals("adam")
            ? adam(0.9, 0.999, 1e-8)
            : (b, p, f) -> new Sgd(b, p, 0.9, 0, 0, name.equals("nesterov"), f);
    float[][] gradients = new float[600][4096 + 3];
    for (int t = 0; t < gradients.length; t++) {
      for (int i = 0; i < gradients[t].length; i++) {
        boolean ends = i % 8 > 0;
        double size = Math.pow(10, -(i % 8) / 2.0);
        gradients[t][i] = ends && t >= 20 ? 0 : (float) (i % 3 == 0 ? -size : size);
      }
    }
    OptimizerStateFormat format = OptimizerStateFormat.eightBit(block);
    float[][] path = path(rule, format, gradients);
    float[][] full = path(rule, OptimizerStateFormat.FLOAT32, gradients);
    for (int i = 0; i < gradients[0].length; i++) {
      if (i % 8 == 0) continue;
      assertEquals(path[200][i], path[599][i], "element " + i + " still moves");
      double rest = Math.abs(path[599][i] - path[19][i]);
      double most = Math.abs(full[599][i] - full[19][i]);
      assertTrue(rest <= 2 * most, "element " + i + ": " + rest + " beside " + most);
    }
  }

  /** Three steps after which weights were 7 instead of 0.003, or not a number. */
  @Test
  void rowsThatWereUsedOnceMoveByAFewRates() {
    for (float[] g : new float[][] {{1, 1e-4f}, {1e-3f, 1e-7f}, {1e20f, 0.01f}, {1, 1e-25f}}) {
      float[][] gradients = new float[3][4096];
      for (int t = 0; t < 3; t++) {
        for (int i = 0; i < 4096; i++) {
          gradients[t][i] = i % 256 == 0 ? t > 0 && g[0] > 1 ? g[1] : g[0] : t == 0 ? g[1] : 0;
        }
      }
      float[] eight = path(adam(0.9, 0.999, 1e-8), OptimizerStateFormat.EIGHT_BIT, gradients)[2];
      for (float p : eight)
        assertTrue(Math.abs(p) <= 3.0001f * RATE, g[0] + ", " + g[1] + ": " + p);
    }
  }
}
