package slimvox.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

class DistillationTest {
  private static final int BATCH = 3;
  private static final int SIZE = 7;

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private double loss(double weight, float[] student, float[] teacher) {
    try (Distillation distillation = new Distillation(cpu, weight);
        Tensor x = cpu.allocate(Category.INPUT, "x", BATCH, SIZE);
        Tensor t = cpu.allocate(Category.INPUT, "t", BATCH, SIZE)) {
      cpu.ops().upload(student, x);
      cpu.ops().upload(teacher, t);
      distillation.target(t);
      return distillation.forward(x);
    }
  }

  @Test
  void lossIsOneMinusTheMeanCosineAndItsGradientACentralDifference() {
    SplittableRandom random = new SplittableRandom(5);
    float[] student = new float[BATCH * SIZE];
    float[] teacher = new float[BATCH * SIZE];
    for (int i = 0; i < student.length; i++) {
      student[i] = (float) random.nextGaussian();
      teacher[i] = (float) random.nextGaussian();
    }
    double expected = 0;
    for (int n = 0; n < BATCH; n++) {
      double dot = 0;
      double a = 0;
      double b = 0;
      for (int i = n * SIZE; i < (n + 1) * SIZE; i++) {
        dot += (double) student[i] * teacher[i];
        a += (double) student[i] * student[i];
        b += (double) teacher[i] * teacher[i];
      }
      expected += 2.5 * (1 - dot / Math.sqrt(a * b)) / BATCH;
    }
    assertEquals(expected, loss(2.5, student, teacher), 1e-6);
    float[] gradient = gradient(student, teacher);
    for (int i = 0; i < student.length; i++) {
      float[] up = student.clone();
      float[] down = student.clone();
      up[i] += 1e-2f;
      down[i] -= 1e-2f;
      double difference = (loss(2.5, up, teacher) - loss(2.5, down, teacher)) / (up[i] - down[i]);
      assertEquals(100 + difference, gradient[i], 2e-4, "added to what is there");
    }
    cpu.ledger().checkOnly();
  }

  private float[] gradient(float[] student, float[] teacher) {
    try (Distillation distillation = new Distillation(cpu, 2.5);
        Tensor x = cpu.allocate(Category.INPUT, "x", BATCH, SIZE);
        Tensor t = cpu.allocate(Category.INPUT, "t", BATCH, SIZE);
        Tensor dx = cpu.allocate(Category.ACTIVATION_GRADIENT, "dx", BATCH, SIZE)) {
      cpu.ops().upload(student, x);
      cpu.ops().upload(teacher, t);
      cpu.ops().elementwise.fill(dx, 100);
      distillation.target(t);
      distillation.forward(x);
      distillation.addGradient(dx);
      return cpu.ops().floats(dx);
    }
  }

  @Test
  void theTeachersOwnEmbeddingsCostNothing() {
    float[] x = new float[BATCH * SIZE];
    float[] longer = new float[BATCH * SIZE];
    for (int i = 0; i < x.length; i++) {
      x[i] = 1 + i % 4;
      longer[i] = 3 * x[i];
    }
    assertEquals(0, loss(1, x, longer), 1e-6);
  }
}
