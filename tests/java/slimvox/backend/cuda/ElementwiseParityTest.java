package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;

/** Elementwise operations and rearrangements against the CPU. */
class ElementwiseParityTest extends ParityFixture {
  private static final int[] SIZES = {1, 2, 3, 4, 5, 31, 1023, 1024, 1025, 4099};

  private static float[] withSpecials(float[] values) {
    float[] special = {Float.NaN, 0f, -0f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (int i = 0; i < special.length && i + 7 < values.length; i++) values[i + 7] = special[i];
    return values;
  }

  @Test
  void fillSetsEveryTypeOfElement() {
    for (int size : SIZES) {
      compare(
          "fill " + size,
          0,
          s -> {
            Tensor f = s.empty(size);
            Tensor i = s.ints(new int[size]);
            Tensor b = s.bytes(new byte[size]);
            s.ops.elementwise.fill(f, -1.5f);
            s.ops.elementwise.fill(i, 7);
            s.ops.elementwise.fill(b, 200);
            return List.of(f, i, b);
          });
    }
  }

  @Test
  void oneTensorIsCopiedOrAdded() {
    for (int size : SIZES) {
      float[] x = withSpecials(normal(size));
      float[] y = normal(size);
      compare(
          "copy, axpy " + size,
          1e-7,
          s -> {
            Tensor a = s.tensor(x, size);
            Tensor b = s.tensor(y, size);
            Tensor c = s.empty(size);
            s.ops.elementwise.copy(a, c);
            s.ops.elementwise.axpy(-0.3f, a, b);
            return List.of(b, c);
          });
    }
  }

  @Test
  void activationsAndTheirGradientsInPlaceAndNot() {
    for (int size : SIZES) {
      float[] x = withSpecials(normal(size));
      float[] d = normal(size);
      compare(
          "relu, tanh, gelu " + size,
          5e-7,
          s -> {
            Tensor a = s.tensor(x, size);
            Tensor r = s.empty(size);
            Tensor t = s.empty(size);
            s.ops.elementwise.relu(a, r);
            s.ops.elementwise.tanh(a, t);
            Tensor dr = s.empty(size);
            Tensor dt = s.tensor(d, size);
            Tensor dy = s.tensor(d, size);
            s.ops.elementwise.reluBackward(r, dy, dr);
            s.ops.elementwise.tanhBackward(t, dt, dt);
            s.ops.elementwise.relu(a, a);
            s.ops.elementwise.reluBackward(r, dy, dy);
            Tensor x0 = s.tensor(x, size);
            Tensor g = s.empty(size);
            Tensor dg = s.tensor(d, size);
            s.ops.elementwise.gelu(x0, g);
            s.ops.elementwise.geluBackward(x0, dg, dg);
            return List.of(r, t, dr, dt, a, dy, g, dg);
          });
    }
  }

  @Test
  void aSingleNaNOrInfinityIsFound() {
    try (CudaDevice device = HostDevice.open(false)) {
      Side s = new Side(new Backend(device));
      for (int size : SIZES) {
        for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
          for (int at : new int[] {0, size / 2, size - 1}) {
            float[] x = normal(size);
            assertTrue(s.ops.elementwise.isFinite(s.tensor(x, size)));
            x[at] = bad;
            assertFalse(s.ops.elementwise.isFinite(s.tensor(x, size)), size + " at " + at);
          }
        }
      }
      Tensor good = s.tensor(new float[] {Float.MAX_VALUE, -Float.MAX_VALUE}, 2);
      assertTrue(s.ops.elementwise.isFinite(good));
      s.release();
      assertEquals("cuda", s.backend.name());
    }
  }

  @Test
  void roundedSumsAreExact() {
    for (int size : SIZES) {
      float[] x = withSpecials(normal(size, 0, 3));
      x[0] = 1e6f; // beyond what is rounded
      float[] y = uniform(size, -8, 8);
      float step = 1f / 1024;
      for (float alpha : new float[] {1, -1}) {
        compare(
            "addRounded " + size,
            0,
            s -> {
              Tensor sum = s.tensor(y, size);
              float largest = s.ops.elementwise.addRounded(alpha, s.tensor(x, size), step, sum);
              return List.of(sum, s.tensor(new float[] {largest}, 1));
            });
      }
    }
  }

  @Test
  void theLargestOfSeveralSumsIsGatheredWithoutWaiting() {
    compare(
        "gathered",
        0,
        s -> {
          Tensor largest = s.tensor(new float[3], 3);
          try (Tensor second = largest.part(1, 1)) {
            for (float height : new float[] {2, -9, 5}) {
              s.ops.elementwise.addRounded(
                  1, s.tensor(new float[] {height}, 1), 1, s.tensor(new float[1], 1), second);
            }
          }
          assertArrayEquals(new float[] {0, 9, 0}, s.ops.floats(largest));
          return List.of(largest);
        });
  }

  @Test
  void aTensorThatIsNotFiniteLeavesItsMark() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY, 1e38f}) {
      compare(
          "marked " + bad,
          0,
          s -> {
            Tensor flags = s.ints(0, 0, 0, 1);
            for (int i = 1; i < 4; i++) {
              float[] x = new float[1000];
              if (i == 2) x[997] = bad;
              try (Tensor flag = flags.part(i, 1)) {
                s.ops.elementwise.markNotFinite(s.tensor(x, 1000), flag);
              }
            }
            int[] expected = {0, 0, Float.isFinite(bad) ? 0 : 1, 1};
            assertArrayEquals(expected, s.ops.ints(flags));
            return List.of();
          });
    }
  }

  @Test
  void theFirstOfManyTensorsIsNamedWithOneDownloadForEvery64() {
    try (CudaDevice device = HostDevice.open(false)) {
      Side s = new Side(new Backend(device));
      List<Tensor> all = new ArrayList<>();
      for (int i = 0; i < 150; i++) all.add(s.tensor(normal(i + 1), i + 1));
      assertEquals(-1, s.ops.elementwise.firstNotFinite(all));
      for (int bad : new int[] {149, 70, 64, 0}) {
        s.ops.elementwise.fill(all.get(bad), Float.NaN);
        assertEquals(bad, s.ops.elementwise.firstNotFinite(all));
      }
      s.release();
    }
  }

  @Test
  void aRowIsAddedToAndSummedOverRows() {
    for (int rows : ROWS) {
      for (int columns : CHANNELS) {
        float[] y = normal((long) rows * columns);
        float[] b = normal(columns);
        compare(
            "rows " + rows + " x " + columns,
            ofSums(rows),
            s -> {
              Tensor m = s.tensor(y, rows, columns);
              Tensor v = s.tensor(b, columns);
              Tensor sum = s.empty(columns);
              Tensor more = s.tensor(b, columns);
              s.ops.matrices.addToRows(v, m);
              s.ops.matrices.columnSums(m, sum, false);
              s.ops.matrices.columnSums(m, more, true);
              return List.of(m, sum, more);
            });
      }
    }
  }

  @Test
  void channelsAreTakenAndPut() {
    for (int[] c :
        new int[][] {{1, 0, 1}, {5, 2, 3}, {64, 16, 32}, {257, 200, 57}, {130, 1, 129}}) {
      for (int rows : ROWS) {
        float[] x = normal((long) rows * c[0]);
        compare(
            "channels of " + c[0],
            0,
            s -> {
              Tensor whole = s.tensor(x, rows, c[0]);
              Tensor part = s.empty(rows, c[2]);
              Tensor other = s.tensor(x, rows, c[0]);
              s.ops.rearrangement.sliceChannels(whole, c[1], part);
              s.ops.rearrangement.writeChannels(part, c[0] - c[2], other);
              return List.of(part, other);
            });
      }
    }
  }

  @Test
  void spaceToDepthAndBackAndFramesFirst() {
    int[][] shapes = {{1, 2, 2, 1}, {2, 4, 6, 3}, {3, 2, 10, 32}, {1, 10, 2, 33}, {2, 6, 14, 64}};
    for (int[] d : shapes) {
      float[] x = normal((long) d[0] * d[1] * d[2] * d[3]);
      compare(
          "space to depth",
          0,
          s -> {
            Tensor wide = s.tensor(x, d);
            Tensor deep = s.empty(d[0], d[1] / 2, d[2] / 2, 4 * d[3]);
            Tensor again = s.empty(d);
            Tensor frames = s.empty(d[0], d[2], d[1] * d[3]);
            Tensor back = s.empty(d);
            Tensor added = s.tensor(x, d);
            s.ops.rearrangement.spaceToDepth(wide, deep);
            s.ops.rearrangement.depthToSpace(deep, again);
            s.ops.rearrangement.framesFirst(wide, frames);
            s.ops.rearrangement.framesFirstBackward(frames, back, false);
            s.ops.rearrangement.framesFirstBackward(frames, added, true);
            return List.of(deep, again, frames, back, added);
          });
    }
  }
}
