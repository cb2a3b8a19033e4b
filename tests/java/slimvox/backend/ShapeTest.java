package slimvox.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import slimvox.audio.Features;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.nn.GlobalStatisticsPooling;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.StatisticsPooling;
import slimvox.nn.ZeroPadding;
import slimvox.storage.InputException;

/** Products of sizes that are allowed one by one: counted in 64 bits, or refused by name. */
class ShapeTest {
  private static final int MIB = 1 << 20;

  @Test
  void elementsAreCountedBeyondAnInt() {
    assertEquals(1L << 52, Shape.of(MIB, MIB, 1 << 12).size());
    assertEquals(1L << 40, Shape.of(MIB, MIB, 1 << 12).rows());
  }

  @Test
  void moreElementsThanBytesCanBeCountedAreRefused() {
    var e = assertThrows(InputException.class, () -> Shape.of(MIB, MIB, MIB, MIB));
    assertEquals(
        "a tensor of [1048576, 1048576, 1048576, 1048576] is too large; use a smaller batch, fewer"
            + " frames or bins",
        e.getMessage());
  }

  @Test
  void anAxisThatIsAProductIsRefusedBeyondAnInt() {
    assertEquals(Integer.MAX_VALUE, Shape.axis(Integer.MAX_VALUE));
    String message =
        "an axis of length 2147483648 is too large; use a smaller batch, fewer frames or bins";
    assertEquals(
        message, assertThrows(InputException.class, () -> Shape.axis(1L << 31)).getMessage());
    try (Backend dry = new Backend(new DryDevice());
        Tensor x = dry.allocate(Category.INPUT, "x", 1, 1 << 16, 1 << 15, 1)) {
      assertEquals(
          message,
          assertThrows(
                  InputException.class,
                  () -> Rearrangement.framesFirstShape(Shape.of(1, 1 << 16, 2, 1 << 15)))
              .getMessage());
      for (var layer :
          new Layer[] {
            new GlobalStatisticsPooling(dry, "p"), new ZeroPadding(dry, "z", 1 << 17, 1 << 17)
          }) {
        assertThrows(InputException.class, () -> layer.forward(x, Mode.EVALUATE));
      }
      assertThrows(
          InputException.class,
          () -> new StatisticsPooling(dry, "p").forward(wide(dry), Mode.EVALUATE));
      assertThrows(InputException.class, () -> dry.ops().floats(x));
    }
  }

  private static Tensor wide(Backend dry) {
    return dry.allocate(Category.INPUT, "x", 1, 1 << 15, 2, 1 << 15);
  }

  @Test
  void framesTimesBinsAreRefusedBeyondAnArray() {
    assertEquals(65536 * 100, Features.length(100, 65536));
    var e = assertThrows(InputException.class, () -> Features.length(100_000, 65536));
    assertEquals(
        "100000 frames x 65536 bins are more than a Java array holds; use shorter utterances",
        e.getMessage());
  }
}
