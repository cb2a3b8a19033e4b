package slimvox.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.backend.Backend;
import slimvox.data.Corpus;
import slimvox.embed.SpeakerEncoder;
import slimvox.report.Rows;
import slimvox.report.Values;
import slimvox.verify.Comparison;
import slimvox.verify.Estimate;
import slimvox.verify.Measure;
import slimvox.verify.Replicates;
import slimvox.verify.Scores;
import slimvox.verify.SpeakerDraws;
import slimvox.verify.Trials;
import slimvox.verify.Variant;

/** Systems against the first of them, each with the score files of its seeds. */
@Command(
    name = "compare",
    description = {
      "Compare two recordings: the cosine of their embeddings by a model.",
      "Or compare systems on a trial list, over seeds and speakers."
    },
    customSynopsis = {
      "slimvox compare MODEL A.wav B.wav [options]",
      "       slimvox compare CORPUS TRIALS NAME=SCORES[,SCORES...] NAME=... [options]"
    })
final class CompareCommand extends Subcommand {
  @Parameters(
      index = "0",
      paramLabel = "CORPUS",
      description = "The corpus of the trials; it tells the speakers. Or a model.")
  private Path corpus;

  @Parameters(
      index = "1",
      paramLabel = "TRIALS",
      description = "Lines '1|0 enrol test' or 'enrol test target|nontarget'. Or a recording.")
  private Path list;

  @Parameters(
      index = "2..*",
      arity = "1..*",
      paramLabel = "NAME=SCORES[,SCORES...]",
      description =
          "A system and its score files, one a seed; the first is the reference. Or a recording.")
  private List<String> systems;

  @Option(
      names = "--untrained",
      paramLabel = "NAME",
      description = "This system has no training that depends on a seed: one file is all.")
  private List<String> untrained = List.of();

  @Option(
      names = "--margin",
      paramLabel = "M",
      description = "Difference that does not matter, as a share of the reference's error.")
  private double margin = Comparison.MARGIN;

  CompareCommand() {
    super("run.backend", "data.resample", "data.longestMinutes");
  }

  @Override
  public Integer call() {
    if (systems.size() == 1 && !systems.getFirst().contains("=")) {
      if (flags.isGiven("--margin") || !untrained.isEmpty()) {
        throw usage("--margin and --untrained are for systems; leave them out");
      }
      return compareRecordings();
    }
    if (!flags.given("").isEmpty()) {
      throw usage("--backend, --resample and --longest are for recordings; leave them out");
    }
    if (systems.size() == 1) throw usage("one system has nothing to be compared with; name two");
    for (String system : systems) {
      if (system.matches("[^=]+=.+")) continue;
      throw usage("'" + system + "' is not NAME=SCORES[,SCORES...]");
    }
    Trials trials = Trials.read(list);
    SpeakerDraws draws = SpeakerDraws.of(Corpus.open(corpus)::speakerOf, trials);
    List<Variant> variants = new ArrayList<>();
    for (String system : systems) {
      Variant variant = variant(system, trials, draws);
      if (variants.stream().anyMatch(v -> v.name().equals(variant.name()))) {
        throw usage("two systems are named " + variant.name() + "; name each once, with all files");
      }
      variants.add(variant);
    }
    for (String name : untrained) {
      if (variants.stream().noneMatch(v -> v.name().equals(name))) {
        throw usage("--untrained " + name + " is none of the systems");
      }
    }
    Values values = new Values();
    values.put("trial_list", trials.name());
    values.put("trial_list_sha256", trials.sha256());
    values.put("speakers", draws.speakers());
    values.put("draws", SpeakerDraws.DRAWS);
    values.put("margin", margin);
    values.put("level", Comparison.LEVEL);
    StringBuilder text = new StringBuilder();
    for (Measure measure : Measure.values()) {
      Rows<Variant> means = means(variants, measure);
      Rows<Comparison> compared = compared(variants, measure);
      String key = measure == Measure.EER ? "eer_percent" : "min_dcf";
      Map<String, Object> both =
          new Values().with("systems", means.json()).with("comparisons", compared.json());
      values.put(key, both);
      text.append(means.text()).append('\n').append(compared.text()).append('\n');
    }
    text.append(
        values.text(
            "intervals of 95 % over seeds and {speakers} speakers; verdicts by a margin of {margin}"
                + " of the reference's error,\nHolm's correction for all systems of a table"));
    result(text.toString(), values);
    return 0;
  }

  private int compareRecordings() {
    Path other = Path.of(systems.getFirst());
    Values values = new Values();
    try (Backend backend = flags.open(flags.recipe());
        SpeakerEncoder encoder = ModelFile.encoder(corpus, flags, 0, backend)) {
      values.put("similarity", encoder.similarity(list, other, flags.recipe().data().reading()));
    }
    values.put("a", list.toString());
    values.put("b", other.toString());
    values.put("model", corpus.toString());
    result(values.text("cosine similarity {similarity:%.4f} of {a} and {b} by {model}"), values);
    return 0;
  }

  private Variant variant(String system, Trials trials, SpeakerDraws draws) {
    int sign = system.indexOf('=');
    String name = system.substring(0, sign);
    List<Replicates> runs = new ArrayList<>();
    List<String> files = List.of(system.substring(sign + 1).split(","));
    for (String file : files) {
      if (Collections.frequency(files, file) > 1) {
        throw usage(name + " has " + file + " twice; each file is of another seed");
      }
      runs.add(draws.errorRates(Scores.read(Path.of(file), trials)));
    }
    return new Variant(name, runs, !untrained.contains(name));
  }

  private static Rows<Variant> means(List<Variant> variants, Measure measure) {
    return Rows.of(variants)
        .column("system", "system", "%-24s", Variant::name)
        .column("runs", "runs", " %5d", v -> v.runs().size())
        .column("over_seeds", Variant::overSeeds)
        .column("mean", measure.toString(), " %8.4f", v -> v.mean(measure))
        .column("seed_deviation", "SD, seeds", " %9.4f", v -> deviation(v, measure))
        .column("low", "from", " %8.4f", v -> Math.max(0, low(v.estimate(measure))))
        .column("high", "to", " %8.4f", v -> v.estimate(measure).high(Comparison.LEVEL));
  }

  private static Double deviation(Variant variant, Measure measure) {
    return variant.overSeeds() ? variant.seedDeviation(measure) : null;
  }

  private static double low(Estimate estimate) {
    return estimate.low(Comparison.LEVEL);
  }

  private Rows<Comparison> compared(List<Variant> variants, Measure measure) {
    List<Comparison> comparisons = new ArrayList<>();
    for (Variant variant : variants.subList(1, variants.size())) {
      comparisons.add(Comparison.of(variants.getFirst(), variant, measure, margin));
    }
    return Rows.of(Comparison.family(comparisons, 0))
        .column("system", "against " + variants.getFirst().name(), "%-24s", Comparison::variant)
        .column("difference", measure.toString(), " %+8.4f", c -> c.difference().value())
        .column("low", "from", " %+8.4f", Comparison::low)
        .column("high", "to", " %+8.4f", Comparison::high)
        .column("percent", "in %", " %+7.1f", Comparison::percent)
        .column("low_percent", "from", " %+7.1f", Comparison::percentLow)
        .column("high_percent", "to", " %+7.1f", Comparison::percentHigh)
        .column("over_seeds", Comparison::overSeeds)
        .column("p_different", Comparison::pDifferent)
        .column("p_not_worse", Comparison::pNotWorse)
        .column("p_equivalent", Comparison::pEquivalent)
        .column("verdict", "verdict", "  %-11s", CompareCommand::verdict);
  }

  private static String verdict(Comparison comparison) {
    return comparison.verdict()
        + (comparison.overSeeds() ? "" : " (one run: interval over speakers only)");
  }
}
