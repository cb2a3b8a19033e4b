package slimvox.study;

import java.util.function.DoubleUnaryOperator;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import slimvox.optim.DynamicTree;

/** The exercises of the notebooks 04, 06, 07 and 11. */
final class LessonsOnBits {
  private LessonsOnBits() {}

  private static Supplier<Object> function(DoubleUnaryOperator function) {
    return () -> function;
  }

  static void addAll() {
    eightBits();
    binaryLayer();
    inference();
    ownParts();
  }

  private static double nearest(double x) {
    return DynamicTree.signed().value(DynamicTree.signed().nearest((float) x));
  }

  private static void eightBits() {
    Exercise.add("04.1", "", 1e-3, () -> 0.5 * nearest(0.2 / 0.5))
        .not(nearest(0.2 / 0.5), "this is the code's value; the block's scale is missing")
        .not(0.2, "this is the number itself; what does the nearest code make of it?")
        .notThat(() -> nearest(0.2), "the number has to be divided by the block's largest first");
    var book = DynamicTree.signed();
    Exercise.add(
            "04.2", "", 0, () -> IntStream.range(0, 256).filter(c -> book.value(c) >= 0.1).count())
        .not(r -> 2 * r, "these are both signs")
        .not(r -> r - 1, "1 itself is one of them")
        .not(230, "a linear code would be like this: nine tenths of the numbers");
    Exercise.add("04.3", "%", 2e-4, () -> saved(64))
        .not(75, "the scale of the block takes bytes, too")
        .not(saved(256), "this is for blocks of 256")
        .not(100 - saved(64), "this is what is left");
  }

  private static double saved(int block) {
    return 100 * (1 - (1 + 4.0 / block) / 4);
  }

  private static void binaryLayer() {
    double scale = (4 * 1 + 4 * 0.2) / 8;
    double error = 4 * (1 - scale) * (1 - scale) + 4 * (scale - 0.2) * (scale - 0.2);
    double relative = error / (4 + 4 * 0.2 * 0.2);
    Exercise.add("06.1", "", 0.01, () -> new double[] {scale, relative})
        .not(new double[] {1, relative}, "the scale is the mean of all eight sizes")
        .not(new double[] {scale, error}, "this error is not relative to the sum of squares")
        .not(new double[] {scale, Math.sqrt(relative)}, "no root: squares are compared");
    Exercise.add("06.2", "", 0, () -> 576 - 2 * 250)
        .not(576 - 250, "so many products are +1; the others are -1, not 0")
        .not(250, "so many products are -1")
        .not(2 * 250 - 576, "the ones of an XOR are the places that differ");
    Exercise.add("06.3", "", 0.01, () -> 1 - 2 / Math.PI)
        .not(2 / Math.PI, "this is what is kept")
        .not(Math.sqrt(2 / Math.PI), "this is the mean size, and so the scale")
        .not(Math.sqrt(1 - 2 / Math.PI), "no root: squares are compared");
  }

  private static void inference() {
    Exercise.add("07.1", "", 0, () -> 992)
        .not(31, "the scale has 32 bits, not one")
        .not(1024, "with so many it is a little more than 31 times")
        .not(32, "with so many it is 16 times");
    int weights = 256 * 512;
    Exercise.add("07.2", "B", 0, () -> weights + 4 * 256)
        .not(weights, "each row has a scale")
        .not(weights + 4, "each row has a scale of its own")
        .not(4 * weights, "this is float32");
    Exercise.add("07.3", "", 0.01, () -> 41.19 / (41.19 - 37.2))
        .not(41.19 / 37.2, "this is the share of the convolutions, upside down")
        .not(41.19 - 37.2, "so many milliseconds are left; how many times faster is that?")
        .not(Double.POSITIVE_INFINITY, "what is not convolution still takes its time");
  }

  private static void ownParts() {
    DoubleUnaryOperator first = x -> 1 / (1 + Math.exp(-x));
    DoubleUnaryOperator second = x -> first.applyAsDouble(x) * first.applyAsDouble(-x);
    Exercise.add("11.1", "", 1e-6, () -> second)
        .notThat(() -> first, "this is the first derivative")
        .notThat(function(x -> -second.applyAsDouble(x)), "the sign: the first one rises with x")
        .notThat(
            function(x -> first.applyAsDouble(x) * first.applyAsDouble(x)),
            "the chain rule: 1 + e^-x has a derivative, too");
    Exercise.add("11.2", "", 1e-6, () -> (Math.pow(2.1, 3) - Math.pow(1.9, 3)) / 0.2)
        .not(12, "this is the derivative itself; the central difference is not quite it")
        .not((Math.pow(2.1, 3) - 8) / 0.1, "this is one-sided; take both sides")
        .not((Math.pow(2.1, 3) - Math.pow(1.9, 3)) / 0.1, "the two points are 2 h apart");
    Exercise.add("11.3", "", 0, () -> 9 * 32 + 32 * 32)
        .not(9 * 32 * 32, "an ordinary 3x3 convolution; a depthwise one has one filter a channel")
        .not(9 * 32, "the 1x1 convolution is missing")
        .not(9 * 32 * 32 + 32 * 32, "a depthwise convolution has one filter a channel");
  }
}
