package slimvox.storage;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Finds the names that a mistyped one may have meant.
 *
 * <p>Distance is Levenshtein's (insertions, deletions, replacements of one character), upper and
 * lower case alike, over the length of the longer name: else the shortest names would be near to
 * every short one.
 */
public final class NearestNames {
  private NearestNames() {}

  /**
   * Returns at most {@code count} of the names, the nearest first.
   *
   * <p>Ties keep the order of {@code names}. Every name counts, however far: the caller decides how
   * many to show.
   */
  public static List<String> of(String wanted, Collection<String> names, int count) {
    record Candidate(String name, double distance) {}
    String key = wanted.toLowerCase(Locale.ROOT);
    return names.stream()
        .map(name -> new Candidate(name, distance(key, name.toLowerCase(Locale.ROOT))))
        .sorted(Comparator.comparingDouble(Candidate::distance))
        .limit(count)
        .map(Candidate::name)
        .toList();
  }

  private static double distance(String a, String b) {
    int[] previous = new int[b.length() + 1];
    int[] current = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) previous[j] = j;
    for (int i = 1; i <= a.length(); i++) {
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
      }
      int[] swap = previous;
      previous = current;
      current = swap;
    }
    return (double) previous[b.length()] / Math.max(a.length(), b.length());
  }
}
