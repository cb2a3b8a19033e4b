package slimvox.loss;

/**
 * The margin of {@code AamSoftmax} as a function of the iteration.
 *
 * <p>{@code initial} before iteration {@code start}, {@code last} from iteration {@code end} on,
 * and {@code initial + (last - initial) * r} between. With {@code x = (i - start) / (end - start)}
 * a linear increase has {@code r = x}, an exponential one {@code r = 1 - exp(x * ln(0.001 / (1 +
 * 1e-6)))}: fast first, 0.999 just before the end.
 *
 * <p>Source: wespeaker/utils/schedulers.py, class MarginScheduler. There an increase from epoch 20
 * to epoch 40 (counted from 1) means {@code start} = 19 and {@code end} = 39 epochs of iterations.
 *
 * @param initial margin in radians at first
 * @param last margin in radians in the end
 * @param start the first iteration of the increase, from 0
 * @param end the first iteration with the last margin, at least {@code start}
 * @param increase the form between
 */
public record MarginSchedule(double initial, double last, long start, long end, Increase increase) {

  /** How the margin grows between start and end. */
  public enum Increase {
    EXPONENTIAL,
    LINEAR
  }

  public MarginSchedule {
    if (!(Math.abs(initial) <= Math.PI) || !(Math.abs(last) <= Math.PI)) {
      throw new IllegalArgumentException("margin from " + initial + " to " + last + " radians");
    }
    if (start < 0 || end < start) {
      throw new IllegalArgumentException("margin increase from iteration " + start + " to " + end);
    }
  }

  /** Returns the margin of the training step with this number, counted from 0. */
  public double at(long iteration) {
    if (iteration >= end) return last;
    if (iteration < start) return initial;
    double x = (double) (iteration - start) / (end - start);
    double ratio =
        switch (increase) {
          case EXPONENTIAL -> 1 - Math.exp(x * Math.log(1e-3 / (1 + 1e-6)));
          case LINEAR -> x;
        };
    return initial + (last - initial) * ratio;
  }
}
