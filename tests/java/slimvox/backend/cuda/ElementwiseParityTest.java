package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
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
      for (Side s : sides(0)) {
        s.ops.elementwise.fill(s.empty(size), -1.5f);
        s.ops.elementwise.fill(s.ints(new int[size]), 7);
        s.ops.elementwise.fill(s.bytes(new byte[size]), 200);
      }
    }
  }

  @Test
  void oneTensorIsCopiedOrAdded() {
    for (int size : SIZES) {
      for (Side s : sides(1e-7)) {
        Tensor x = s.tensor(withSpecials(normal(size)), size);
        s.ops.elementwise.copy(x, s.empty(size));
        s.ops.elementwise.axpy(-0.3f, x, s.normal(size));
      }
    }
  }

  @Test
  void activationsAndTheirGradientsInPlaceAndNot() {
    for (int size : SIZES) {
      for (Side s : sides(5e-7)) {
        Tensor x = s.tensor(withSpecials(normal(size)), size);
        Tensor relu = s.empty(size);
        Tensor tanh = s.empty(size);
        Tensor dy = s.normal(size);
        Tensor dtanh = s.copy(dy);
        Tensor dgelu = s.copy(dy);
        s.ops.elementwise.relu(x, relu);
        s.ops.elementwise.tanh(x, tanh);
        s.ops.elementwise.gelu(x, s.empty(size));
        s.ops.elementwise.reluBackward(relu, dy, s.empty(size));
        s.ops.elementwise.tanhBackward(tanh, dtanh, dtanh);
        s.ops.elementwise.geluBackward(x, dgelu, dgelu);
        s.ops.elementwise.relu(x, x);
        s.ops.elementwise.reluBackward(relu, dy, dy);
      }
    }
  }

  @Test
  void aSingleNaNOrInfinityIsFound() {
    for (Side s : sides(0)) {
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
    }
  }

  @Test
  void roundedSumsAreExact() {
    for (int size : SIZES) {
      for (float alpha : new float[] {1, -1}) {
        for (Side s : sides(0)) {
          float[] x = withSpecials(normal(size, 0, 3));
          x[0] = 1e6f; // beyond what is rounded
          Tensor sum = s.between(-8, 8, size);
          float largest = s.ops.elementwise.addRounded(alpha, s.tensor(x, size), 1f / 1024, sum);
          s.tensor(new float[] {largest}, 1);
        }
      }
    }
  }

  @Test
  void theLargestOfSeveralSumsIsGatheredWithoutWaiting() {
    for (Side s : sides(0)) {
      Tensor largest = s.tensor(new float[3], 3);
      try (Tensor second = largest.part(1, 1)) {
        for (float height : new float[] {2, -9, 5}) {
          s.ops.elementwise.addRounded(
              1, s.tensor(new float[] {height}, 1), 1, s.tensor(new float[1], 1), second);
        }
      }
      assertArrayEquals(new float[] {0, 9, 0}, s.ops.floats(largest));
    }
  }

  @Test
  void aTensorThatIsNotFiniteLeavesItsMark() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY, 1e38f}) {
      for (Side s : sides(0)) {
        Tensor flags = s.ints(0, 0, 0, 1);
        for (int i = 1; i < 4; i++) {
          float[] x = new float[1000];
          if (i == 2) x[997] = bad;
          try (Tensor flag = flags.part(i, 1)) {
            s.ops.elementwise.markNotFinite(s.tensor(x, 1000), flag);
          }
        }
        assertArrayEquals(new int[] {0, 0, Float.isFinite(bad) ? 0 : 1, 1}, s.ops.ints(flags));
      }
    }
  }

  @Test
  void theFirstOfManyTensorsIsNamedWithOneDownloadForEvery64() {
    for (Side s : sides(0)) {
      List<Tensor> all = new ArrayList<>();
      for (int i = 0; i < 150; i++) all.add(s.normal(i + 1));
      assertEquals(-1, s.ops.elementwise.firstNotFinite(all));
      for (int bad : new int[] {149, 70, 64, 0}) {
        s.ops.elementwise.fill(all.get(bad), Float.NaN);
        assertEquals(bad, s.ops.elementwise.firstNotFinite(all));
      }
    }
  }

  @Test
  void aRowIsAddedToAndSummedOverRows() {
    for (int[] d : pairs(ROWS, CHANNELS)) {
      for (Side s : sides(ofSums(d[0]))) {
        Tensor m = s.normal(d);
        Tensor row = s.normal(d[1]);
        s.ops.matrices.addToRows(row, m);
        s.ops.matrices.columnSums(m, s.empty(d[1]), false);
        s.ops.matrices.columnSums(m, s.copy(row), true);
      }
    }
  }

  @Test
  void channelsAreTakenAndPut() {
    for (int[] c :
        new int[][] {{1, 0, 1}, {5, 2, 3}, {64, 16, 32}, {257, 200, 57}, {130, 1, 129}}) {
      for (int rows : ROWS) {
        for (Side s : sides(0)) {
          Tensor whole = s.normal(rows, c[0]);
          Tensor part = s.empty(rows, c[2]);
          s.ops.rearrangement.sliceChannels(whole, c[1], part);
          s.ops.rearrangement.writeChannels(part, c[0] - c[2], s.copy(whole));
        }
      }
    }
  }

  @Test
  void spaceToDepthAndBackAndFramesFirst() {
    int[][] shapes = {{1, 2, 2, 1}, {2, 4, 6, 3}, {3, 2, 10, 32}, {1, 10, 2, 33}, {2, 6, 14, 64}};
    for (int[] d : shapes) {
      for (Side s : sides(0)) {
        Tensor wide = s.normal(d);
        for (int t = 1; t <= 2; t++) {
          Tensor deep = s.empty(d[0], d[1] / 2, d[2] / t, 2 * t * d[3]);
          s.ops.rearrangement.spaceToDepth(wide, deep);
          s.ops.rearrangement.depthToSpace(deep, s.empty(d));
        }
        Tensor frames = s.empty(d[0], d[2], d[1] * d[3]);
        s.ops.rearrangement.framesFirst(wide, frames);
        s.ops.rearrangement.framesFirstBackward(frames, s.empty(d), false);
        s.ops.rearrangement.framesFirstBackward(frames, s.copy(wide), true);
      }
    }
  }
}
