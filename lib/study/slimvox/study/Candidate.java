package slimvox.study;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * One of the networks that an {@link Experiment} compares, written in one line: its name, then what
 * differs from the experiment's recipe, {@code type II model.reversible=full seeds=3}.
 *
 * <p>Words with a dot before the equals sign are settings of the recipe. Those without one are
 * below; each may be left out.
 *
 * @param name what tables call it
 * @param against {@code against}: the variant it is compared with instead of the experiment's
 *     reference; null: the reference
 * @param paired {@code paired=true}: equal seeds of both mean the same network, initial values and
 *     batches, so their runs are compared in pairs; stated before looking
 * @param seeds {@code seeds}: how many runs instead of the experiment's; 0: as many
 * @param twice {@code twice}: the variant whose settings it has, with twice the length: whether
 *     that one has converged; null: none
 * @param from {@code from}: the variant whose network it starts with, of the same seed; null: a new
 *     one
 * @param teacher {@code teacher}: the variant whose embeddings it is pulled towards; null: none
 * @param calibrate {@code calibrate}: batches that the running statistics of batch normalization
 *     are estimated from after training, see {@link slimvox.train.Trainer#calibrate}; 0: none
 * @param settings {@code key=value}, keys of recipes
 */
public record Candidate(
    String name,
    String against,
    boolean paired,
    int seeds,
    String twice,
    String from,
    String teacher,
    int calibrate,
    List<String> settings) {

  private static final List<String> OWN =
      List.of("against", "seeds", "twice", "from", "teacher", "calibrate", "paired");

  /**
   * Mean and deviation of the features, less their mean over training speakers, without a network:
   * a row of every experiment.
   */
  static final Candidate NO_NETWORK = baseline("no network");

  /** The same, whitened by the covariance within training speakers. */
  static final Candidate WHITENED = baseline("no network, whitened");

  private static Candidate baseline(String name) {
    return new Candidate(name, null, false, 1, null, null, null, 0, List.of());
  }

  /** Whether nothing is trained: it has no seed, and nobody is compared with it. */
  public boolean isBaseline() {
    return this == NO_NETWORK || this == WHITENED;
  }

  /** Copies the list. */
  public Candidate {
    settings = List.copyOf(settings);
  }

  /** Reads a line; IllegalArgumentException if it has no name or a word that is not known. */
  static Candidate parse(String line) {
    String[] words = line.strip().split("\\s+(?=[A-Za-z0-9.]+=)");
    if (words[0].matches("[A-Za-z0-9.]+=.*") || fileName(words[0]).isEmpty()) {
      throw new IllegalArgumentException(
          "'%s' begins with no name, as in 'type I model.reversible=partial'".formatted(line));
    }
    List<String> settings = new ArrayList<>();
    String[] own = new String[OWN.size()];
    for (String word : Arrays.asList(words).subList(1, words.length)) {
      String key = word.substring(0, word.indexOf('='));
      String value = word.substring(key.length() + 1);
      if (key.contains(".")) {
        settings.add(word);
      } else if (!OWN.contains(key) || own[OWN.indexOf(key)] != null) {
        throw new IllegalArgumentException(
            "'%s': %s is not a setting of a recipe, nor one of %s, once"
                .formatted(words[0], key, String.join(", ", OWN)));
      } else {
        own[OWN.indexOf(key)] = value;
      }
    }
    int seeds = number(words[0], "seeds", own[1]);
    int calibrate = number(words[0], "calibrate", own[5]);
    boolean paired = own[6] != null;
    if (paired && !own[6].equals("true")) {
      throw new IllegalArgumentException(
          "'%s': paired=%s; give true, or leave it out".formatted(words[0], own[6]));
    }
    return new Candidate(
        words[0], own[0], paired, seeds, own[2], own[3], own[4], calibrate, settings);
  }

  private static int number(String name, String key, String value) {
    if (value == null) return 0;
    if (value.matches("[1-9][0-9]{0,3}")) return Integer.parseInt(value);
    throw new IllegalArgumentException("'%s': %s=%s; give 1 to 9999".formatted(name, key, value));
  }

  /** The names of the variants that this one needs. */
  List<String> needs() {
    return Arrays.asList(against, twice, from, teacher).stream().filter(Objects::nonNull).toList();
  }

  /** The name as part of a file's name: lower case, hyphens for what is no letter and no digit. */
  static String fileName(String name) {
    return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-|-$", "");
  }
}
