package slimvox.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;
import slimvox.storage.TextLines;
import slimvox.storage.UtteranceNames;

/**
 * A trial list: pairs of utterances, each labelled target (same speaker) or nontarget.
 *
 * <p>Utterance names are stored once and trials as two numbers and a bit, about eight bytes a trial
 * and six to twelve more for the index by pair: lists of tens of millions of trials fit. Order is
 * that of the file; a pair may be listed twice with the same label (some published lists do), never
 * with both.
 */
public final class Trials {
  /** How a trial list is written; a file's own format is found from its first line. */
  public enum Format {
    /** {@code 1 enrol test} or {@code 0 enrol test}: VoxCeleb, VoxSRC. */
    VOXCELEB("`<1|0> enrol test`", 0, "1", "0"),
    /** {@code enrol test target} or {@code enrol test nontarget}: Kaldi, WeSpeaker, 3D-Speaker. */
    KALDI("`enrol test target|nontarget`", 2, "target", "nontarget");

    private final String form;
    private final int labelField;
    private final String target;
    private final String nontarget;

    Format(String form, int labelField, String target, String nontarget) {
      this.form = form;
      this.labelField = labelField;
      this.target = target;
      this.nontarget = nontarget;
    }

    private boolean fits(String[] fields) {
      return fields.length == 3
          && (fields[labelField].equals(target) || fields[labelField].equals(nontarget));
    }
  }

  private final String name;
  private final String sha256;
  private final List<String> utterances;
  private final Map<String, Integer> numbers;
  private final UtteranceNames names;
  private final int[] enrol;
  private final int[] test;
  private final BitSet target;
  private final int targets;
  private final PairIndex index;

  private Trials(Builder built, String sha256) {
    name = built.name;
    // Copies: the builder may go on to a longer list.
    utterances = List.copyOf(built.utterances);
    numbers = new HashMap<>(built.numbers);
    names = new UtteranceNames(numbers.keySet());
    enrol = Arrays.copyOf(built.enrol, built.size);
    test = Arrays.copyOf(built.test, built.size);
    target = (BitSet) built.target.clone();
    targets = target.cardinality();
    index = new PairIndex(enrol, test);
    refuseContradictions(enrol, test, index);
    this.sha256 = sha256 != null ? sha256 : Sha256.of(lines(Format.VOXCELEB));
  }

  /**
   * Reads a trial list in either format; its name is the file's.
   *
   * @throws InputException naming file and line for anything that is not a trial, a pair with both
   *     labels, a file without trials or one that cannot be read
   */
  public static Trials read(Path file) {
    Builder builder = new Builder(file.toString());
    Format[] format = new Format[1];
    String hash =
        TextLines.readFields(
            file,
            (number, fields) -> {
              if (number == 1) format[0] = detect(file, fields);
              parse(file, number, fields, format[0], builder);
            });
    if (builder.size == 0) {
      throw InputException.at(
          file, "no trials in it; expected lines `1 enrol test` or `enrol test target`");
    }
    return new Trials(builder, hash);
  }

  /** The same of a path. */
  public static Trials read(String file) {
    return read(Path.of(file));
  }

  private static Format detect(Path file, String[] fields) {
    if (Format.KALDI.fits(fields)) return Format.KALDI;
    if (Format.VOXCELEB.fits(fields)) return Format.VOXCELEB;
    throw InputException.of(
        "%s:1: %s is not a trial; expected %s or %s",
        file, TextLines.shown(String.join(" ", fields)), Format.VOXCELEB.form, Format.KALDI.form);
  }

  private static void parse(Path file, int number, String[] f, Format format, Builder to) {
    if (!format.fits(f)) {
      String wrong =
          f.length == 3
              ? "label " + TextLines.shown(f[format.labelField]) + ";"
              : f.length + " fields instead of 3;";
      throw InputException.at(file, number, "%s expected %s as on line 1", wrong, format.form);
    }
    int first = format.labelField == 0 ? 1 : 0;
    to.add(f[first], f[first + 1], f[format.labelField].equals(format.target));
  }

  /** Starts a list that is put together in memory. */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /** Collects trials in order. */
  public static final class Builder {
    private final String name;
    private final List<String> utterances = new ArrayList<>();
    private final Map<String, Integer> numbers = new HashMap<>();
    private int[] enrol = new int[1024];
    private int[] test = new int[1024];
    private final BitSet target = new BitSet();
    private int size;

    private Builder(String name) {
      this.name = name;
    }

    /** Adds a trial; a name that is empty or has blanks, which no file can hold, is refused. */
    public Builder add(String enrolUtterance, String testUtterance, boolean isTarget) {
      if (size == enrol.length) {
        int larger = (int) Math.min(Integer.MAX_VALUE - 8, size * 3L / 2);
        enrol = Arrays.copyOf(enrol, larger);
        test = Arrays.copyOf(test, larger);
      }
      enrol[size] = number(enrolUtterance);
      test[size] = number(testUtterance);
      if (isTarget) target.set(size);
      size++;
      return this;
    }

    private int number(String utterance) {
      Integer known = numbers.get(utterance);
      if (known != null) return known;
      if (utterance.isEmpty() || utterance.chars().anyMatch(Character::isWhitespace)) {
        throw InputException.of(
            "%s: utterance name %s is empty or has blanks; rename it",
            name, TextLines.shown(utterance));
      }
      numbers.put(utterance, utterances.size());
      utterances.add(utterance);
      return utterances.size() - 1;
    }

    /** The finished list; refused without trials, or where a pair has both labels. */
    public Trials build() {
      if (size == 0) throw InputException.at(name, "no trials in it; add some");
      return new Trials(this, null);
    }
  }

  /** Refuses a pair with both labels, each utterance being called so. */
  void refuseContradictions(String[] names) {
    Map<String, Integer> numbers = new HashMap<>();
    int[] same = new int[names.length];
    for (int u = 0; u < same.length; u++) {
      same[u] = numbers.computeIfAbsent(names[u], _ -> numbers.size());
    }
    if (numbers.size() == same.length) return; // as they are written, which was looked at
    int[] first = Arrays.stream(enrol).map(u -> same[u]).toArray();
    int[] second = Arrays.stream(test).map(u -> same[u]).toArray();
    refuseContradictions(first, second, new PairIndex(first, second));
  }

  private void refuseContradictions(int[] enrol, int[] test, PairIndex index) {
    for (int i = 0; i < size(); i++) {
      int first = index.find(enrol[i], test[i], -1);
      if (first < i && target.get(first) != target.get(i)) {
        throw InputException.of(
            "%s:%s: trial '%s %s' is %s here but %s on line %d; remove one of them",
            name, i + 1, enrol(i), test(i), label(i), label(first), first + 1);
      }
    }
  }

  private String label(int trial) {
    return isTarget(trial) ? "target" : "nontarget";
  }

  /** The same trials with a suffix to the names of the list and all utterances. */
  public Trials withSuffix(String suffix) {
    Builder all = builder(name + suffix);
    for (int i = 0; i < size(); i++) all.add(enrol(i) + suffix, test(i) + suffix, isTarget(i));
    return all.build();
  }

  /** Where the list came from: its path, or the name given to the builder. */
  public String name() {
    return name;
  }

  /** SHA-256 of the file's bytes, in hexadecimal. */
  public String sha256() {
    return sha256;
  }

  /** Number of trials. */
  public int size() {
    return enrol.length;
  }

  /** Number of target trials. */
  public int targets() {
    return targets;
  }

  /** Number of nontarget trials. */
  public int nontargets() {
    return size() - targets;
  }

  /** The names of all utterances, in order of first appearance. */
  public List<String> utterances() {
    return utterances;
  }

  /** Name of the enrolment (first) utterance of a trial. */
  public String enrol(int trial) {
    return utterances.get(enrol[trial]);
  }

  /** Name of the test (second) utterance of a trial. */
  public String test(int trial) {
    return utterances.get(test[trial]);
  }

  /** Number of the enrolment utterance in {@link #utterances()}. */
  public int enrolNumber(int trial) {
    return enrol[trial];
  }

  /** Number of the test utterance in {@link #utterances()}. */
  public int testNumber(int trial) {
    return test[trial];
  }

  /** Whether both sides of a trial are the same speaker. */
  public boolean isTarget(int trial) {
    return target.get(trial);
  }

  /** Whether some trial has this utterance on either side. */
  public boolean contains(String utterance) {
    return numbers.containsKey(utterance);
  }

  /** Finds utterances by the names that other files have for them. */
  UtteranceNames names() {
    return names;
  }

  /**
   * The first trial of this pair, in this order, with a number above {@code after}; -1 if there is
   * none. Start with {@code after = -1}.
   */
  public int find(String enrolUtterance, String testUtterance, int after) {
    Integer a = numbers.get(enrolUtterance);
    Integer b = numbers.get(testUtterance);
    return a == null || b == null ? -1 : index.find(a, b, after);
  }

  /** Writes the list through a temporary file; refused where that cannot be written. */
  public void write(Path file, Format format) {
    TextLines.write(file, lines(format));
  }

  private Stream<String> lines(Format format) {
    return IntStream.range(0, size()).mapToObj(i -> line(i, format));
  }

  private String line(int i, Format format) {
    String pair = enrol(i) + " " + test(i);
    String label = isTarget(i) ? format.target : format.nontarget;
    return format == Format.VOXCELEB ? label + " " + pair + "\n" : pair + " " + label + "\n";
  }

  /** Name, counts and the beginning of the checksum. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s: %,d targets + %,d nontargets (sha256 %s)",
        name(),
        targets(),
        nontargets(),
        sha256().substring(0, 12));
  }
}
