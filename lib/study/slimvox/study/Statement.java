package slimvox.study;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import slimvox.settings.Declared;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/**
 * What an experiment states before any of its error rates is looked at: on disk YAML with these
 * keys.
 *
 * <p>Verdicts follow from it and from the runs alone: who is compared with whom, on which trials,
 * how large a difference matters, and when a network counts as trained.
 */
public record Statement(
    @Setting("What is compared, one line.") String title,
    @Setting(
            "The recipe that all variants differ from: a YAML file beside this one, or one that"
                + " ships.")
        String recipe,
    @Setting(
            value = "Settings that win over the recipe's in every run, as in run.batch=64.",
            byDefault = "[]")
        List<String> settings,
    @Setting(
            value = "Runs of each variant, with seeds 1, 2 and so on.",
            byDefault = "6",
            range = "1..1000")
        int seeds,
    @Setting("Trial lists of the validation corpus that trained networks are scored on.")
        List<String> lists,
    @Setting("The variants, see Candidate for a line of it.") List<String> variants,
    @Setting("The variant that the others are compared with. null: the first.") String reference,
    @Setting(
            value = "How large a difference matters, in % of the EER of what is compared with.",
            byDefault = "10",
            range = ">0")
        double margin,
    @Setting(
            value =
                "A run has converged if its accuracy without margin, the mean of the last quarter"
                    + " of the steps, is at least so many %.",
            byDefault = "95",
            range = "0..100")
        double accuracy) {

  /** What can be stated. */
  static final Declared<Statement> SETTINGS = Declared.of(Statement.class);

  /** Checks that names are known and stand once. */
  public Statement {
    if (title == null) throw new InvalidSetting("title", "is not set; say what is compared");
    if (recipe == null) throw new InvalidSetting("recipe", "is not set; name the recipe's file");
    if (margin >= 100) {
      String shown = Double.toString(margin).replaceFirst("\\.0$", "");
      throw InvalidSetting.notAllowed("margin", shown, "anything above 0 and below 100");
    }
    lists = some("lists", lists);
    Map<String, Candidate> parsed = parse(some("variants", variants));
    if (reference == null) reference = parsed.keySet().iterator().next();
    if (!parsed.containsKey(reference)) {
      throw InvalidSetting.notAllowed("reference", reference, String.join(", ", parsed.keySet()));
    }
  }

  private static List<String> some(String key, List<String> values) {
    if (values == null || values.isEmpty()) {
      throw new InvalidSetting(key, "is not set; at least one is needed");
    }
    if (new HashSet<>(values).size() < values.size()) {
      throw new InvalidSetting(key, values + " holds a value twice");
    }
    return List.copyOf(values);
  }

  private static Map<String, Candidate> parse(List<String> lines) {
    Map<String, Candidate> variants = new LinkedHashMap<>();
    Set<String> files = new HashSet<>();
    for (Candidate c : List.of(Candidate.NO_NETWORK, Candidate.WHITENED)) {
      files.add(Candidate.fileName(c.name()));
    }
    for (String line : lines) {
      Candidate variant;
      try {
        variant = Candidate.parse(line);
      } catch (IllegalArgumentException e) {
        throw new InvalidSetting("variants", e.getMessage());
      }
      if (!files.add(Candidate.fileName(variant.name()))) {
        throw new InvalidSetting(
            "variants", "'%s' has the name of another".formatted(variant.name()));
      }
      for (String name : variant.needs()) {
        if (variants.containsKey(name)) continue;
        throw new InvalidSetting(
            "variants", "'%s' needs '%s', which is not above it".formatted(variant.name(), name));
      }
      variants.put(variant.name(), variant);
    }
    return variants;
  }

  /** The variants by name, in the order of the statement. */
  Map<String, Candidate> parsed() {
    return parse(variants);
  }
}
