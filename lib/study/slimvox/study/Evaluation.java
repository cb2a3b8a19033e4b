package slimvox.study;

import java.lang.ref.SoftReference;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Stream;
import slimvox.audio.Features;
import slimvox.data.Corpus;
import slimvox.data.FeatureSource;
import slimvox.recipe.DataSettings;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.train.Trainer;
import slimvox.train.TrainingData;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Replicates;
import slimvox.verify.Scores;
import slimvox.verify.SpeakerDraws;
import slimvox.verify.Trials;
import slimvox.verify.Whitening;

/** The trial lists of an experiment and how a network is measured on them. */
final class Evaluation {
  /** Between the name of a list and a word: the trials in which both sides say it. */
  private static final char WORD = '+';

  private final Experiment experiment;
  private final DataSettings data;
  private final Corpus training; // null where it is not here
  private final Corpus validation;
  private final String hash;
  private final Map<String, Trials> lists = new LinkedHashMap<>();
  private final SpeakerDraws draws;
  private final List<String> notes;

  /** Of the utterances of the lists, by what they depend on: runs hear the same, one by one. */
  private final Map<List<Object>, Map<String, SoftReference<Features>>> features =
      new ConcurrentHashMap<>();

  /**
   * Reads the lists.
   *
   * <p>Where the corpus is not here, stored summaries can be read, but nothing measured.
   *
   * @throws slimvox.storage.InputException if the corpus lacks a list, or a list speakers
   */
  Evaluation(Experiment experiment, Places places) {
    this.experiment = experiment;
    data = places.located(experiment.base()).data();
    if (!Files.exists(data.validationFolder()) || !Files.exists(data.trainFolder())) {
      training = null;
      validation = null;
      hash = null;
      draws = null;
      notes = List.of();
      return;
    }
    training = Corpus.open(data.trainFolder());
    validation = Corpus.open(data.validationFolder());
    hash = training.sha256();
    for (String name : experiment.statement().lists()) lists.put(name, list(validation, name));
    draws = SpeakerDraws.of(validation::speakerOf, lists.values().toArray(Trials[]::new));
    Corpus learned = TrainingData.training(data, training);
    notes = TrainingData.speakersHeard(learned, validation, lists);
  }

  /** A list of the corpus; one with {@link #WORD} has the trials in which both sides say a word. */
  private static Trials list(Corpus corpus, String name) {
    int end = name.indexOf(WORD);
    if (end < 0) return TrainingData.trials(corpus, name);
    Optional<String> word = Optional.of(name.substring(end + 1));
    Trials all = TrainingData.trials(corpus, name.substring(0, end));
    Trials.Builder said = Trials.builder(name);
    for (int i = 0; i < all.size(); i++) {
      boolean both =
          Stream.of(all.enrol(i), all.test(i))
              .flatMap(id -> corpus.parts(id).stream())
              .allMatch(part -> part.word().equals(word));
      if (both) said.add(all.enrol(i), all.test(i), all.isTarget(i));
    }
    return said.build();
  }

  /** The hash of the training corpus; null where it is not here. */
  String corpus() {
    return hash;
  }

  /** Refuses to go on where nothing can be measured. */
  void requireCorpus() {
    if (training == null) {
      throw InputException.at(
          data.trainFolder(), "no such folder; the experiment is about speech that is there");
    }
  }

  /** What is worth knowing of the lists, a sentence each. */
  List<String> notes() {
    return notes;
  }

  /** Why a summary's numbers are not what would be measured now; null if they are. */
  String fault(Summary summary) {
    if (training == null) return null;
    if (!summary.corpus().equals(hash)) {
      return "made with corpus %.12s, that of the experiment is %.12s"
          .formatted(summary.corpus(), hash);
    }
    for (var list : lists.entrySet()) {
      Replicates measured = summary.lists().get(list.getKey());
      if (measured == null) return "lacks " + list.getKey();
      String trials = list.getValue().sha256();
      if (!measured.trials().equals(trials)) {
        return "measured on another list %s (%.12s, not %.12s)"
            .formatted(list.getKey(), measured.trials(), trials);
      }
      if (!measured.draws().equals(draws.id())) {
        return "%s has other statistics (draws %.12s, not %.12s)"
            .formatted(list.getKey(), measured.draws(), draws.id());
      }
    }
    return null;
  }

  /** Measures the network of a trainer; an utterance of several lists is embedded once. */
  Map<String, Replicates> measure(Trainer trainer) throws InterruptedException {
    Recipe recipe = trainer.recipe();
    Map<String, SoftReference<Features>> heard =
        features.computeIfAbsent(
            List.of(recipe.data(), recipe.model().bins()), _ -> new ConcurrentHashMap<>());
    Function<String, Features> kept =
        id -> {
          SoftReference<Features> known = heard.get(id);
          Features found = known == null ? null : known.get();
          if (found != null) return found;
          Features computed = trainer.data().wholeUtterance(id);
          heard.put(id, new SoftReference<>(computed));
          return computed;
        };
    Embeddings embeddings =
        trainer.embedder().embed(utterances(), kept, FeatureSource.Progress.NONE);
    return measure(list -> CosineScoring.plain().score(list, embeddings));
  }

  /**
   * Measures what has no network, each utterance heard once; the mean that is subtracted, or the
   * matrix that whitens, is that of the training speakers.
   */
  Map<String, Replicates> baseline(Candidate kind) throws InterruptedException {
    int bins = experiment.base().model().bins();
    Baseline statistics = Baseline.MEAN_AND_DEVIATION;
    Embeddings embeddings = statistics.embeddings(validation, List.copyOf(utterances()), bins);
    Corpus learned = TrainingData.training(data, training);
    Map<Boolean, Function<Trials, Scores>> scoring = new HashMap<>(); // behind channels or not
    for (Trials list : lists.values()) {
      boolean behind = Baseline.isBehindChannels(list);
      if (scoring.containsKey(behind)) continue;
      if (kind == Candidate.WHITENED) {
        Whitening whitening = statistics.whitening(learned, list, bins);
        scoring.put(behind, trials -> whitening.score(trials, embeddings));
      } else {
        CosineScoring centring = statistics.centring(learned, list, bins);
        scoring.put(behind, trials -> centring.score(trials, embeddings));
      }
    }
    return measure(list -> scoring.get(Baseline.isBehindChannels(list)).apply(list));
  }

  private Set<String> utterances() {
    Set<String> utterances = new LinkedHashSet<>();
    for (Trials list : lists.values()) utterances.addAll(list.utterances());
    return utterances;
  }

  private Map<String, Replicates> measure(Function<Trials, Scores> scores) {
    Map<String, Replicates> measured = new LinkedHashMap<>();
    lists.forEach((name, list) -> measured.put(name, draws.errorRates(scores.apply(list))));
    return measured;
  }
}
