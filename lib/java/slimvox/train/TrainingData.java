package slimvox.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToLongBiFunction;
import java.util.stream.Stream;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.data.BatchSettings;
import slimvox.data.Batches;
import slimvox.data.Corpus;
import slimvox.data.FeatureAugmentation;
import slimvox.data.FeatureCache;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.FeatureSource;
import slimvox.data.SoundSource;
import slimvox.data.Surroundings;
import slimvox.data.TrialRule;
import slimvox.data.Utterance;
import slimvox.data.WholeUtterances;
import slimvox.recipe.DataSettings;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/**
 * The speech of a run: batches to train with, utterances and trials to validate with.
 *
 * <p>Everything is found and checked here, before the first step: files, speakers, and that every
 * trial's utterances exist.
 */
public final class TrainingData {
  private final Corpus train;
  private final Corpus validation;
  private final Map<String, Trials> trials;
  private final WholeUtterances wholeUtterances;
  private final boolean keepsTrials;
  private final Batches batches;
  private final Map<String, Features> behindChannels = new ConcurrentHashMap<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * Opens the corpora of a recipe and computes the features that are not cached.
   *
   * @param progress told while features are computed
   * @param check told the number of classes and, if it asks, the frames of the trials' utterances
   *     as their headers give them, before any features are computed; may refuse the run, and says
   *     how many bytes there are for features or sound
   * @throws InputException if a file, a setting or a trial cannot be used
   */
  TrainingData(
      Recipe recipe,
      FeatureSource.Progress progress,
      ToLongBiFunction<Integer, Supplier<Map<String, Integer>>> check)
      throws InterruptedException {
    DataSettings data = recipe.data();
    Corpus all = Corpus.open(data.trainFolder()).reading(data.reading()).requireFiles();
    Corpus said;
    if (data.folds() > 0) {
      Corpus.Fold fold = all.fold(data.fold(), data.folds());
      said = fold.train();
      validation = fold.test();
    } else {
      said = training(data, all);
      validation =
          data.validationCorpus() == null
              ? all
              : Corpus.open(data.validationFolder()).reading(data.reading()).requireFiles();
    }
    if (!data.trainWords().isEmpty()) said = said.saying(data.trainWords());
    train = data.leastFrames() == 0 ? said : longEnough(said, recipe);
    trials = trialLists(data, validation);
    trials.values().forEach(this::check);
    FbankOptions options = data.frontEnd().fbank(recipe.model().bins());
    List<Double> speeds = new ArrayList<>(data.speeds());
    speeds.sort(Comparator.comparing(s -> s != 1.0)); // the recording as it is comes first
    FeatureReader validationReader = FeatureReader.of(validation, options, List.of(1.0));
    FeatureReader reader = FeatureReader.of(train, options.dithered((float) data.dither()), speeds);
    requireSound(reader, validationReader, data);
    requireBins(data.trainFolder(), reader, recipe);
    if (!trials.isEmpty()) requireBins(data.validationFolder(), validationReader, recipe);
    int classes = train.speakers().size() * data.speeds().size();
    long room = check.applyAsLong(classes, () -> lengths(validationReader));
    notes.addAll(all.notes());
    if (validation != all) notes.addAll(validation.notes());
    String repeats = repeats(FeatureReader.of(train, options, List.of(1.0)), data);
    if (repeats != null) notes.add(repeats);
    notes.addAll(speakersHeard(train, validation, trials));
    long trialBytes = trialBytes(validationReader);
    DataSettings.Source from =
        source(reader, data, trialBytes, Math.min(room, FeatureMemory.room()));
    keepsTrials = from != DataSettings.Source.STREAMING && trialBytes <= FeatureMemory.room();
    wholeUtterances =
        new WholeUtterances(
            validation,
            keepsTrials ? new FeatureMemory(validationReader) : validationReader,
            data.meanNormalization());
    BatchSettings settings = batchSettings(recipe);
    boolean streams = from == DataSettings.Source.STREAMING;
    int threads = Runtime.getRuntime().availableProcessors();
    if (data.isPerExample() || streams && reader.hasSound()) {
      SoundSource sounds = new SoundSource(reader, !streams).load(train, threads, progress);
      batches = new Batches(train, sounds, settings);
    } else {
      FeatureSource features =
          switch (from) {
            case STREAMING -> reader;
            case MEMORY -> new FeatureMemory(reader).load(train, threads, progress);
            case CACHE ->
                new FeatureCache(Path.of(data.cacheFolder()), reader, train)
                    .build(threads, progress);
          };
      batches = new Batches(train, features, settings);
    }
    batches.augment(data.augmentations().stream().map(FeatureAugmentation.REGISTRY::get).toList());
  }

  /** What the training batches of a recipe are made of; opens its lists of noises and rooms. */
  public static BatchSettings batchSettings(Recipe recipe) {
    DataSettings data = recipe.data();
    return new BatchSettings(
        recipe.run().batch(),
        data.frames(),
        data.joinUtterances(),
        data.meanNormalization(),
        data.specAugment(),
        recipe.seed(),
        data.surroundings().isOn() ? new Surroundings(data.surroundings()) : null,
        data.channel(),
        data.shuffleBuffer(),
        data.sampling() == DataSettings.Sampling.CLASS_BALANCED);
  }

  private Corpus longEnough(Corpus corpus, Recipe recipe) {
    DataSettings data = recipe.data();
    FbankOptions options = data.frontEnd().fbank(recipe.model().bins());
    List<String> shorter =
        FeatureReader.of(corpus, options, List.of(1.0))
            .shorterThan(data.leastFrames(), corpus.utterances());
    if (shorter.isEmpty()) return corpus;
    if (shorter.size() == corpus.utterances().size()) {
      throw InputException.at(
          corpus.folder(), "no recording has data.leastFrames=%d; set fewer", data.leastFrames());
    }
    String note = "%,d of %,d recordings are shorter than data.leastFrames=%d and left out";
    int all = corpus.utterances().size();
    notes.add(String.format(Locale.ROOT, note, shorter.size(), all, data.leastFrames()));
    return corpus.without(shorter);
  }

  private static void requireBins(Path folder, FeatureReader reader, Recipe recipe) {
    if (reader.bins() == recipe.model().bins()) return;
    throw InputException.at(
        folder,
        "its features have %d values a frame, model.bins is %d; set model.bins=%1$d",
        reader.bins(),
        recipe.model().bins());
  }

  private void requireSound(
      FeatureReader reader, FeatureReader validationReader, DataSettings data) {
    if (data.isPerExample() && !reader.hasSound()) {
      throw InputException.at(
          data.trainFolder(),
          "has features, and %s; set data.%s=%s",
          data.channel().isOn() ? "channels need sound" : "noise, rooms and dither need sound",
          data.channel().isOn()
              ? "channel.probability"
              : data.dither() > 0 ? "dither" : "surroundings.probability",
          0);
    }
    for (String list : trials.keySet()) {
      if (!Corpus.isBehindChannel(list) || validationReader.hasSound()) continue;
      throw InputException.at(
          data.validationFolder(),
          "has features, and channels need sound; name data.trials %s without %s",
          Corpus.withoutChannel(list),
          Corpus.CHANNEL);
    }
  }

  /** Bytes of the features of the trials, if they are kept. */
  private long trialBytes(FeatureReader reader) {
    if (trials.isEmpty()) return 0;
    List<Utterance> parts = new ArrayList<>(); // a joined one behind a channel is kept as it is
    Set<Utterance> shared = new LinkedHashSet<>();
    for (String id : trialUtterances()) {
      (Corpus.isBehindChannel(id) ? parts : shared).addAll(validation.parts(id));
    }
    return reader.bytes(parts) + reader.bytes(List.copyOf(shared));
  }

  /** Where examples come from: what is set, or else what has room; a note says so. */
  private DataSettings.Source source(
      FeatureReader reader, DataSettings data, long trialBytes, long room) {
    boolean sound = data.isPerExample();
    long bytes = sound ? reader.soundBytes(train.utterances()) : reader.bytes(train.utterances());
    boolean cached = data.cacheFolder() != null;
    DataSettings.Source source = data.source();
    if (source == null) {
      source =
          cached && !sound
              ? DataSettings.Source.CACHE
              : !cached && trialBytes + bytes <= room
                  ? DataSettings.Source.MEMORY
                  : DataSettings.Source.STREAMING;
    }
    String what = (sound ? "the sound of " : "the features of ") + train.name();
    if (source == DataSettings.Source.MEMORY) {
      FeatureMemory.requireHeap(
          trialBytes + bytes,
          what + " and the features of the trials",
          "set data.source=streaming, which keeps nothing, or a larger heap");
    }
    String where =
        switch (source) {
          case MEMORY -> "kept in memory, about %d MiB";
          case CACHE -> "in the folder of data.cacheFolder, about %d MiB";
          case STREAMING -> "read for each example and not kept; it would take about %d MiB";
        };
    notes.add(what + ": " + where.formatted(bytes >> 20));
    return source;
  }

  /** Frames of each utterance of the trials; never too few, 0 where the header cannot be read. */
  private Map<String, Integer> lengths(FeatureReader reader) {
    Map<String, Integer> frames = new HashMap<>();
    for (String id : trialUtterances()) {
      frames.put(id, (int) Math.ceil(reader.bytes(validation.parts(id)) / 4.0 / reader.bins()));
    }
    return frames;
  }

  /** A note if recordings are shorter than an example; of more than 1000 some are looked at. */
  private String repeats(FeatureReader reader, DataSettings data) {
    int looked = 0;
    int shorter = 0;
    long longest = 0;
    int step = train.utterances().size() / 1000 + 1;
    for (int i = 0; i < train.utterances().size(); i += step) {
      Utterance utterance = train.utterances().get(i);
      double frames = reader.bytes(List.of(utterance)) / 4.0 / reader.bins();
      if (frames == 0) continue; // its header cannot be read
      // The last one and a half shifts of a sound begin no frame of 25 ms.
      int averaged = data.frameShiftMs() / FrontEnd.FBANK_SHIFT_MS;
      if (utterance.source() instanceof Utterance.Sound) {
        frames = Math.floor(frames * averaged - 1.5) / averaged;
      }
      frames = Math.floor(frames);
      looked++;
      longest = Math.max(longest, (long) frames);
      if (frames * data.joinUtterances() < data.frames()) shorter++;
    }
    if (shorter == 0) return null;
    return String.format(
        Locale.ROOT,
        "%,d of %,d recordings%s are shorter than data.frames=%d and are repeated to fill it; the"
            + " longest recording has %,d frames",
        shorter,
        looked,
        data.joinUtterances() > 1 ? ", %d joined,".formatted(data.joinUtterances()) : "",
        data.frames(),
        longest);
  }

  /** A sentence for each list, by its name, that has speakers who are trained on. */
  public static List<String> speakersHeard(
      Corpus train, Corpus validation, Map<String, Trials> lists) {
    Set<String> trained = Set.copyOf(train.speakers());
    List<String> sentences = new ArrayList<>();
    lists.forEach(
        (name, list) -> {
          Set<String> heard = new TreeSet<>();
          list.utterances().forEach(id -> heard.add(validation.speakerOf(id)));
          int all = heard.size();
          heard.retainAll(trained);
          if (heard.isEmpty()) return;
          sentences.add(
              "%s: %d of its %d speakers are trained on, such as %s; strangers have more errors"
                  .formatted(name, heard.size(), all, heard.iterator().next()));
        });
    return sentences;
  }

  /** The part of a corpus that {@code data.trainSpeakers} names; unknown lists are refused. */
  public static Corpus training(DataSettings data, Corpus corpus) {
    return data.trainSpeakers().isEmpty() ? corpus : corpus.subset(speakers(corpus, data));
  }

  private static List<String> speakers(Corpus corpus, DataSettings data) {
    List<String> speakers = new ArrayList<>();
    try {
      for (String list : data.trainSpeakers()) speakers.addAll(corpus.split(list).speakers());
    } catch (InputException e) {
      throw new InputException(
          e.getMessage() + "; data.trainSpeakers=[] trains with all speakers", e);
    }
    return speakers;
  }

  /**
   * A list of trials of a corpus.
   *
   * @param list name in the corpus; with {@link Corpus#CHANNEL} after it its recordings are behind
   *     channels
   * @throws InputException if there is none of this name
   */
  public static Trials trials(Corpus corpus, String list) {
    return named(list, plain -> Trials.read(corpus.trialList(plain)));
  }

  private static Trials named(String list, Function<String, Trials> plain) {
    if (!Corpus.isBehindChannel(list)) return plain.apply(list);
    return plain.apply(Corpus.withoutChannel(list)).withSuffix(Corpus.CHANNEL);
  }

  private static Map<String, Trials> trialLists(DataSettings data, Corpus validation) {
    Map<String, Trials> lists = new LinkedHashMap<>();
    for (String list : data.trials()) {
      lists.put(list, named(list, plain -> trials(plain, data, validation)));
    }
    return lists;
  }

  private static Trials trials(String list, DataSettings data, Corpus validation) {
    if (data.folds() > 0) {
      TrialRule rule = rule(list);
      Trials.Builder builder =
          Trials.builder("%s, fold %d of %d".formatted(list, data.fold(), data.folds()));
      for (TrialRule.Pair p : rule.pairs(validation)) {
        builder.add(p.enrolment(), p.test(), p.sameSpeaker());
      }
      return builder.build();
    }
    Path file = Path.of(list);
    if (Files.isRegularFile(file)) return Trials.read(file);
    try {
      return trials(validation, list);
    } catch (InputException e) {
      throw new InputException("data.trials: " + list + " is no file, and " + e.getMessage(), e);
    }
  }

  private static TrialRule rule(String kind) {
    for (TrialRule rule : TrialRule.values()) if (Key.of(rule).equals(kind)) return rule;
    String known = String.join(", ", Stream.of(TrialRule.values()).map(Key::of).toList());
    throw InputException.of(
        "data.trials: '%s' is not a kind of trials; with data.folds it is one of %s", kind, known);
  }

  private void check(Trials list) {
    for (String id : list.utterances()) {
      if (!validation.has(id)) {
        throw InputException.at(
            list.name(),
            "utterance %s is not in %s; give the corpus of the trials as data.validationCorpus",
            id,
            validation.folder());
      }
    }
  }

  /** The corpus to train with. */
  public Corpus train() {
    return train;
  }

  /** The corpus that the trials are about. */
  public Corpus validation() {
    return validation;
  }

  /** The trials by their names in {@code data.trials}; none without validation. */
  public Map<String, Trials> trialLists() {
    return Collections.unmodifiableMap(trials);
  }

  /** The first list of trials, null without validation. */
  public Trials trials() {
    return trials.values().stream().findFirst().orElse(null);
  }

  /** Measures embeddings on all lists of trials, by their names in {@code data.trials}. */
  Map<String, Verification> verify(Embeddings embeddings) {
    Map<String, Verification> all = new LinkedHashMap<>();
    trials.forEach(
        (name, list) ->
            all.put(name, Verification.of(CosineScoring.plain().score(list, embeddings))));
    return all;
  }

  /** All utterances of the trials. */
  Set<String> trialUtterances() {
    Set<String> ids = new LinkedHashSet<>();
    for (Trials list : trials.values()) ids.addAll(list.utterances());
    return ids;
  }

  /** Which utterances each batch has. */
  public Batches batches() {
    return batches;
  }

  /** What is worth knowing before the first step, a line each. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /** Features of a whole utterance of the validation corpus, as the network hears them. */
  public Features wholeUtterance(String id) {
    return keepsTrials && Corpus.isBehindChannel(id)
        ? behindChannels.computeIfAbsent(id, wholeUtterances::features)
        : wholeUtterances.features(id);
  }

  /** What is trained on, and what validated with. */
  @Override
  public String toString() {
    return "training on %s; validation on %s".formatted(train, validation);
  }
}
