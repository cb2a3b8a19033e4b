package slimvox.study;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Stream;
import slimvox.recipe.Recipe;
import slimvox.recipe.RunLength;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;
import slimvox.storage.Sha256;

/**
 * A {@link Statement} with its recipe: what is to be run, and under which names the results are
 * kept.
 *
 * <p>A run is known by the hash of its recipe without what does not decide its bits: where corpora
 * and caches lie, how often it is validated and saved. In the place of a network that it starts
 * from is the hash of that network's run. So equal variants of two experiments are one run, and a
 * changed setting, of the recipe or of a variant, makes another one.
 */
public final class Experiment {
  /** The experiments that ship with SlimVox, for {@link #shipped}. */
  public static final List<String> SHIPPED =
      List.of(
          "reversible-resnet",
          "reversible-df",
          "eight-bit",
          "together-resnet",
          "together-df",
          "depth",
          "width",
          "binary",
          "one-word",
          "bits",
          "layers");

  private static final String[] UNDECIDING = {
    "data.trainCorpus=null",
    "data.validationCorpus=null",
    "data.trials=null",
    "data.cacheFolder=null",
    "run.validateEvery=null",
    "run.checkpointEvery=null",
    "run.keepCheckpoints=null",
    "run.threads=1"
  };

  /** A variant with the seed of its recipe. */
  public record Run(Candidate candidate, int seed) {
    /** For example {@code type-ii-3}. */
    public String name() {
      return Candidate.fileName(candidate.name()) + "-" + seed;
    }
  }

  private final String name;
  private final Statement statement;
  private final Recipe base;
  private final Map<String, Candidate> variants = new LinkedHashMap<>();

  private Experiment(String name, Statement statement, Recipe base) {
    this.name = name;
    this.statement = statement;
    this.base = base;
    variants.put(Candidate.NO_NETWORK.name(), Candidate.NO_NETWORK);
    variants.put(Candidate.WHITENED.name(), Candidate.WHITENED);
    variants.putAll(statement.parsed());
    for (Run run : runs()) {
      try {
        recipe(run);
      } catch (InputException e) {
        throw InputException.of("%s, variant '%s': %s", name, run.candidate.name(), e.getMessage())
            .because(e);
      }
    }
  }

  /**
   * Reads a statement and its recipe.
   *
   * @param file YAML; its name without the ending is the experiment's
   * @param settings {@code key=value} that win over the file; keys with a dot are the recipe's
   * @throws InputException if one of both, or a variant of it, cannot be used
   */
  public static Experiment read(Path file, String... settings) {
    String name = file.getFileName().toString().replaceFirst("\\.ya?ml$", "");
    Statement statement = Statement.SETTINGS.read(file, own(settings, false));
    Path beside = file.resolveSibling(statement.recipe());
    Recipe recipe = Files.exists(beside) ? Recipe.read(beside) : shippedRecipe(statement.recipe());
    return new Experiment(name, statement, recipe.with(all(statement, settings)));
  }

  /** One of the {@link #SHIPPED} experiments, settings as for {@link #read}; others are refused. */
  public static Experiment shipped(String name, String... settings) {
    if (!SHIPPED.contains(name)) {
      throw InputException.of(
          "%s: no such experiment; the nearest is %s; SlimVox ships %s",
          name, NearestNames.of(name, SHIPPED, 1).getFirst(), String.join(", ", SHIPPED));
    }
    String file = name + ".yaml";
    Statement statement = Statement.SETTINGS.parse(resource(file), file, own(settings, false));
    Recipe recipe = shippedRecipe(statement.recipe());
    return new Experiment(name, statement, recipe.with(all(statement, settings)));
  }

  private static Recipe shippedRecipe(String name) {
    if (Recipe.SHIPPED.contains(name)) return Recipe.shipped(name);
    return Recipe.parse(resource(name), name);
  }

  private static String[] own(String[] settings, boolean ofRecipe) {
    return List.of(settings).stream()
        .filter(s -> s.matches("\\w+\\..*") == ofRecipe)
        .toArray(String[]::new);
  }

  private static String[] all(Statement statement, String[] settings) {
    List<String> all = new ArrayList<>(statement.settings());
    all.addAll(List.of(own(settings, true)));
    return all.toArray(String[]::new);
  }

  private static String resource(String name) {
    try (InputStream in = Experiment.class.getResourceAsStream(name)) {
      if (in == null) throw InputException.of("%s: no such file, and none that ships", name);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Its name, that of the folder of its results. */
  public String name() {
    return name;
  }

  /** What it states. */
  public Statement statement() {
    return statement;
  }

  /** The recipe that all variants differ from. */
  public Recipe base() {
    return base;
  }

  /** The variants, in the order of the statement; before them those without a network. */
  public List<Candidate> candidates() {
    return List.copyOf(variants.values());
  }

  /** A variant by its name; refused if there is none. */
  public Candidate candidate(String variant) {
    Candidate found = variants.get(variant);
    if (found != null) return found;
    throw InputException.of(
        "%s has no variant '%s'; it has %s", name, variant, String.join(", ", variants.keySet()));
  }

  /** What a variant is compared with; null for the reference itself and without a network. */
  public Candidate against(Candidate variant) {
    if (variant.isBaseline()) return null;
    String other = variant.against();
    if (other == null) other = variant.twice() == null ? statement.reference() : variant.twice();
    return other.equals(variant.name()) ? null : variants.get(other);
  }

  /** The runs of a variant; without a network there is one, with seed 0. */
  public List<Run> runs(Candidate variant) {
    if (variant.isBaseline()) return List.of(new Run(variant, 0));
    List<Run> runs = new ArrayList<>();
    int seeds = variant.seeds() == 0 ? statement.seeds() : variant.seeds();
    for (int seed = 1; seed <= seeds; seed++) runs.add(new Run(variant, seed));
    return runs;
  }

  /** All runs: first those with seed 1, so that each variant is soon seen. */
  public List<Run> runs() {
    return variants.values().stream()
        .flatMap(v -> runs(v).stream())
        .sorted(Comparator.comparingInt(Run::seed))
        .toList();
  }

  /** The settings that a variant has beyond the experiment's recipe. */
  public List<String> settings(Candidate variant) {
    if (variant.twice() == null) return variant.settings();
    Candidate once = variants.get(variant.twice());
    List<String> settings = new ArrayList<>(settings(once));
    settings.addAll(variant.settings());
    Recipe recipe = base.with(settings.toArray(String[]::new));
    RunLength length = recipe.run().length();
    settings.removeIf(s -> s.startsWith("run.length="));
    settings.add("run.length=" + new RunLength(2 * length.amount(), length.unit()));
    return settings;
  }

  /** The recipe that decides the bits of a run, see above. */
  public Recipe recipe(Run run) {
    return recipe(run, other -> recipe(other).hash()).with(UNDECIDING);
  }

  /** The recipe that a run is trained with; {@code network} names those that it starts from. */
  Recipe recipe(Run run, Function<Run, ?> network) {
    Candidate once = once(run.candidate);
    List<String> settings = new ArrayList<>(settings(run.candidate));
    if (once.from() != null) {
      settings.add("transfer.from=" + network.apply(new Run(variants.get(once.from()), run.seed)));
    }
    if (once.teacher() != null) {
      Run teacher = new Run(variants.get(once.teacher()), run.seed);
      settings.add("transfer.teacher=" + network.apply(teacher));
    }
    settings.add("seed=" + run.seed);
    return base.with(settings.toArray(String[]::new));
  }

  /** The runs whose networks a run starts from or learns from. */
  List<Run> startsFrom(Run run) {
    Candidate once = once(run.candidate);
    return Stream.of(once.from(), once.teacher())
        .filter(Objects::nonNull)
        .distinct()
        .map(name -> new Run(variants.get(name), run.seed))
        .toList();
  }

  /** The candidate of the same settings that is not of twice the length. */
  private Candidate once(Candidate candidate) {
    return candidate.twice() == null ? candidate : once(variants.get(candidate.twice()));
  }

  /**
   * What a run's summary is known by: its recipe's hash, and how it was calibrated; without a
   * network the hash of what is heard and of who is learned from.
   */
  public String hash(Run run) {
    if (run.candidate.isBaseline()) {
      Stream<String> heard =
          Stream.of(
              run.candidate == Candidate.NO_NETWORK ? "no network, centred" : run.candidate.name(),
              Integer.toString(base.model().bins()),
              base.data().trainSpeakers().toString());
      return Sha256.of(heard.map(text -> text + "\n")).substring(0, 12);
    }
    int batches = run.candidate.calibrate();
    return recipe(run).hash() + (batches == 0 ? "" : "+" + batches);
  }
}
