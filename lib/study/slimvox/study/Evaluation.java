package slimvox.study;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import slimvox.data.Corpus;
import slimvox.data.FeatureSource;
import slimvox.recipe.DataSettings;
import slimvox.storage.InputException;
import slimvox.train.Trainer;
import slimvox.verify.Replicates;
import slimvox.verify.Scores;
import slimvox.verify.SpeakerDraws;
import slimvox.verify.Trials;

/** The trial lists of an experiment and how a network is measured on them. */
final class Evaluation {
  private final Path folder;
  private final String corpus; // hash; null where the corpus is not here
  private final Map<String, Trials> lists = new LinkedHashMap<>();
  private final SpeakerDraws draws;

  /**
   * Reads the lists.
   *
   * <p>Where the corpus is not here, stored summaries can be read, but nothing measured.
   *
   * @throws slimvox.storage.InputException if the corpus lacks a list, or a list speakers
   */
  Evaluation(Experiment experiment, Places places) {
    DataSettings data = places.located(experiment.base()).data();
    folder = data.trainFolder();
    if (!Files.exists(data.validationFolder()) || !Files.exists(data.trainFolder())) {
      corpus = null;
      draws = null;
      return;
    }
    corpus = Corpus.open(data.trainFolder()).sha256();
    Corpus validation = Corpus.open(data.validationFolder());
    for (String name : experiment.statement().lists())
      lists.put(name, Trials.read(validation.trialList(name)));
    draws = SpeakerDraws.of(validation::speakerOf, lists.values().toArray(Trials[]::new));
  }

  /** The hash of the training corpus; null where it is not here. */
  String corpus() {
    return corpus;
  }

  /** Refuses to go on where nothing can be measured. */
  void requireCorpus() {
    if (corpus == null) {
      throw InputException.at(
          folder, "no such folder; the experiment is about speech that is there");
    }
  }

  /** Why a summary's numbers are not what would be measured now; null if they are. */
  String fault(Summary summary) {
    if (corpus == null) return null;
    if (!summary.corpus().equals(corpus)) {
      return "made with corpus %.12s, that of the experiment is %.12s"
          .formatted(summary.corpus(), corpus);
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

  /** Measures the network of a trainer. */
  Map<String, Replicates> measure(Trainer trainer) throws InterruptedException {
    Map<String, Replicates> measured = new LinkedHashMap<>();
    for (var list : lists.entrySet()) {
      Scores scores = trainer.score(list.getValue(), FeatureSource.Progress.NONE);
      measured.put(list.getKey(), draws.errorRates(scores));
    }
    return measured;
  }
}
