package slimvox.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How long something takes: the times of each run in milliseconds, ascending. */
record Timing(double[] times) {
  /**
   * The middle time in milliseconds; of an even number of runs the mean of the two in the middle.
   */
  double median() {
    int middle = times.length / 2;
    return times.length % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  }

  /** The shortest time in milliseconds. */
  double best() {
    return times[0];
  }

  /** Times of any order, in milliseconds. */
  static Timing of(double... times) {
    return new Timing(Arrays.stream(times).sorted().toArray());
  }

  /** Milliseconds of one run. */
  static double once(Runnable form) {
    long start = System.nanoTime();
    form.run();
    return (System.nanoTime() - start) * 1e-6;
  }

  /**
   * Measures several forms that take turns, so that what else the machine does hits all alike.
   *
   * @param warmUp how long they take turns before they are measured, at least one turn each: what
   *     the JVM compiles takes a core away from what is measured
   * @param turns of each that are measured
   * @param runs of a form in each turn, one behind another: with more than one its data are in the
   *     cache, as in a network
   * @return a timing of turns x runs times for each form
   */
  static List<Timing> measure(Duration warmUp, int turns, int runs, Runnable... forms) {
    long begin = System.nanoTime();
    do {
      for (Runnable form : forms) once(form);
    } while (System.nanoTime() - begin < warmUp.toNanos());
    double[][] times = new double[forms.length][turns * runs];
    for (int i = 0; i < turns * forms.length; i++) {
      int f = i % forms.length;
      for (int run = 0; run < runs; run++) {
        times[f][i / forms.length * runs + run] = once(forms[f]);
      }
    }
    List<Timing> timings = new ArrayList<>();
    for (double[] t : times) timings.add(of(t));
    return timings;
  }

  /** Measures one form, as {@link #measure(Duration, int, int, Runnable...)} does several. */
  static Timing measure(Duration warmUp, int runs, Runnable form) {
    return measure(warmUp, runs, 1, form).getFirst();
  }
}
