package slimvox.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import slimvox.audio.AudioFiles;
import slimvox.audio.ReadSettings;
import slimvox.audio.Waveform;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;
import slimvox.storage.Printable;
import slimvox.storage.ProjectFolder;
import slimvox.storage.Sha256;
import slimvox.storage.UtteranceNames;

/**
 * Utterances of known speakers, in a fixed order.
 *
 * <p>Utterances are sorted by id and speakers by name; a speaker's label is its place in {@link
 * #speakers()}. The same folder gives the same order everywhere. A corpus does not change; {@link
 * #subset}, {@link #split} and {@link #fold} give smaller ones with labels of their own, which
 * share the utterances, and so their cached features.
 */
public final class Corpus {
  /** After the id of a recording, or the name of a list of trials: behind a channel of its own. */
  public static final String CHANNEL = "@channel";

  private final Path folder;
  private final String name;
  private final List<Utterance> utterances;
  private final Map<String, Utterance> byId;
  private final List<String> speakers;
  private final Map<String, List<Utterance>> bySpeaker;
  private final Map<String, Integer> labels;
  private final Map<String, List<Utterance>> joined;
  private final List<String> notes;
  private final ReadSettings reading;
  private UtteranceNames names; // made when first needed

  /** The corpus of a folder, named as it is. */
  Corpus(
      Path folder,
      Collection<Utterance> utterances,
      Map<String, List<Utterance>> joined,
      List<String> notes) {
    this(folder, nameOf(folder), utterances, joined, notes, ReadSettings.DEFAULT);
  }

  /** Sorts what it is given; ids must be unique and joined utterances made of the utterances. */
  Corpus(
      Path folder,
      String name,
      Collection<Utterance> utterances,
      Map<String, List<Utterance>> joined,
      List<String> notes,
      ReadSettings reading) {
    this.folder = folder;
    this.name = name;
    this.utterances = utterances.stream().sorted(Comparator.comparing(Utterance::id)).toList();
    this.byId = HashMap.newHashMap(utterances.size());
    for (Utterance utterance : this.utterances) byId.put(utterance.id(), utterance);
    Map<String, List<Utterance>> speakers = new TreeMap<>();
    for (Utterance utterance : this.utterances) {
      speakers.computeIfAbsent(utterance.speaker(), _ -> new ArrayList<>()).add(utterance);
    }
    this.speakers = List.copyOf(speakers.keySet());
    speakers.replaceAll((_, list) -> List.copyOf(list));
    this.bySpeaker = speakers;
    this.labels = new HashMap<>();
    for (String speaker : this.speakers) labels.put(speaker, labels.size());
    this.joined = Collections.unmodifiableMap(new TreeMap<>(joined));
    this.notes = List.copyOf(notes);
    this.reading = reading;
  }

  /**
   * The same of a path in the working directory or, where that has none, in the project's folder:
   * {@code Corpus.open("data-scripts/speech-commands")} works anywhere.
   */
  public static Corpus open(String folder) {
    return open(ProjectFolder.find(folder));
  }

  /**
   * Opens a folder: a Kaldi folder if {@code wav.scp} or {@code feats.scp} is in it, {@link
   * TarShards} if {@code shard.list} is, else one folder for each speaker with WAV and FLAC files
   * anywhere below.
   *
   * <p>Kaldi: {@code wav.scp} (or, where there is none, {@code feats.scp}) and {@code utt2spk}; if
   * there, {@code segments} (utterance, recording, start and end in seconds; wav.scp then names
   * recordings), {@code utt2word} (utterance, word) and {@code joined2utt} (joined utterance,
   * utterances). Relative paths are relative to the folder. Speaker folders: the id is the path
   * below the folder without its ending, with {@code -} for each {@code /}. Sound files are not
   * opened yet: {@link #requireFiles} and {@link CorpusReport} look at them.
   *
   * @throws InputException for missing, duplicate and unknown ids, commands in wav.scp, and so on:
   *     one line with file, line number and remedy
   */
  public static Corpus open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw InputException.of(
          "%s%s; name a corpus folder (wav.scp or feats.scp with utt2spk, or one folder for each"
              + " speaker)",
          folder,
          Files.exists(folder) ? ": is a file" : ": no such folder" + ProjectFolder.where(folder));
    }
    for (String scp : List.of("wav.scp", "feats.scp")) {
      if (!CorpusFiles.isThere(folder.resolve(scp))) continue;
      return KaldiFolder.read(folder, scp).requireDistinctSpeakers();
    }
    if (CorpusFiles.isThere(folder.resolve(TarShards.LIST))) {
      return TarShards.read(folder).requireDistinctSpeakers();
    }
    return SpeakerFolders.read(folder).requireDistinctSpeakers();
  }

  private Corpus requireDistinctSpeakers() {
    Map<String, String> seen = new HashMap<>();
    for (String speaker : speakers) {
      if (seen.put(UtteranceNames.normal(speaker), speaker) == null) continue;
      throw InputException.of(
          "%s: two speakers are called %s, which differ in how accents are encoded; write them"
              + " alike",
          folder, speaker);
    }
    return this;
  }

  /** The last part of the folder's path. */
  private static String nameOf(Path folder) {
    Path last = folder.toAbsolutePath().normalize().getFileName();
    return last == null ? folder.toString() : last.toString();
  }

  /** What of the folder is not used, one line each: a link that leads back, for example. */
  public List<String> notes() {
    return notes;
  }

  /** The same corpus, whose recordings are read with other settings. */
  public Corpus reading(ReadSettings settings) {
    return new Corpus(folder, name, utterances, joined, notes, settings);
  }

  /** How its recordings are read: {@link ReadSettings#DEFAULT} where nothing else was said. */
  public ReadSettings reading() {
    return reading;
  }

  /** The folder it was read from. */
  public Path folder() {
    return folder;
  }

  /** Folder name and, in a part of a corpus, which: for example {@code voxceleb1, fold 2 of 5}. */
  public String name() {
    return name;
  }

  /** All utterances, sorted by id. */
  public List<Utterance> utterances() {
    return utterances;
  }

  /** All speakers, sorted; a speaker's place is its label. */
  public List<String> speakers() {
    return speakers;
  }

  /** The utterances of one speaker, sorted by id. */
  public List<Utterance> utterances(String speaker) {
    label(speaker);
    return bySpeaker.get(speaker);
  }

  /** The place of a speaker in {@link #speakers()}. */
  public int label(String speaker) {
    Integer label = labels.get(speaker);
    if (label != null) return label;
    throw unknown("speaker", speaker, speakers);
  }

  /** Whether an id, or the name of a list of trials, is of recordings behind channels. */
  public static boolean isBehindChannel(String id) {
    return id.endsWith(CHANNEL);
  }

  /** The same without {@link #CHANNEL}. */
  public static String withoutChannel(String id) {
    return isBehindChannel(id) ? id.substring(0, id.length() - CHANNEL.length()) : id;
  }

  /**
   * Whether there is an utterance or a joined utterance of this id, in any form, {@link #CHANNEL}
   * after it or not.
   */
  public boolean has(String id) {
    return own(id) != null;
  }

  /**
   * An id as it is written here, by the form it has elsewhere, such as a trial list; null if there
   * is none.
   *
   * @throws InputException if two can be meant
   */
  synchronized String own(String written) {
    String id = withoutChannel(written);
    if (byId.containsKey(id) || joined.containsKey(id)) return id;
    if (names == null) names = new UtteranceNames(ids());
    return names.find(folder.toString(), id);
  }

  /**
   * The utterance of this id.
   *
   * @throws InputException if there is none; it lists the nearest ids
   */
  public Utterance utterance(String id) {
    Utterance utterance = byId.get(id);
    if (utterance != null) return utterance;
    throw unknown("utterance", id, byId.keySet());
  }

  /**
   * The sound of an utterance, 16,000 samples a second.
   *
   * @throws InputException if there is no such utterance, it has features only, or its file cannot
   *     be read
   */
  public Waveform sound(String id) {
    if (!(utterance(id).source() instanceof Utterance.Sound place)) {
      throw InputException.of("%s: %s has features and no sound", folder, id);
    }
    SoundReader reader = new SoundReader(AudioFiles.SAMPLE_RATE, reading);
    return new Waveform(reader.read(place), reader.sampleRate());
  }

  /** The utterance of this id, null if there is none. */
  Utterance find(String id) {
    return byId.get(id);
  }

  /** Joined utterances: id, and the utterances that are joined, in order; sorted by id. */
  public Map<String, List<Utterance>> concatenated() {
    return joined;
  }

  /**
   * What an id of a trial list stands for: an utterance, or the parts of a joined utterance. It may
   * have another form than here, as {@link UtteranceNames} says, and {@link #CHANNEL} after it.
   *
   * @throws InputException if it is neither; it lists the nearest ids
   */
  public List<Utterance> parts(String id) {
    String own = own(id);
    Utterance utterance = byId.get(own);
    if (utterance != null) return List.of(utterance);
    List<Utterance> parts = own == null ? null : joined.get(own);
    if (parts != null) return parts;
    throw unknown("utterance", id, ids());
  }

  /**
   * The speaker of an utterance or joined utterance.
   *
   * @throws InputException if it is neither
   */
  public String speakerOf(String id) {
    return parts(id).getFirst().speaker();
  }

  private Set<String> ids() {
    Set<String> ids = new TreeSet<>(byId.keySet());
    ids.addAll(joined.keySet());
    return ids;
  }

  /** The utterances of some of the speakers, and the joined utterances made of them. */
  public Corpus subset(Collection<String> speakers) {
    return subset(speakers, name + ", " + speakers.size() + " speakers");
  }

  private Corpus subset(Collection<String> chosen, String newName) {
    Set<String> wanted = new HashSet<>(chosen);
    for (String speaker : wanted) label(speaker);
    return only(newName, u -> wanted.contains(u.speaker()));
  }

  /** The corpus without some of its utterances, and without the joined ones they are parts of. */
  public Corpus without(Collection<String> ids) {
    Set<String> bad = new HashSet<>(ids);
    return only(name, u -> !bad.contains(u.id()));
  }

  private Corpus only(String newName, Predicate<Utterance> chosen) {
    Map<String, List<Utterance>> parts = new TreeMap<>(joined);
    parts.values().removeIf(list -> !list.stream().allMatch(chosen));
    List<Utterance> kept = utterances.stream().filter(chosen).toList();
    return new Corpus(folder, newName, kept, parts, notes, reading);
  }

  /**
   * The recordings of some words, and the joined utterances made of them alone: what a
   * text-dependent system is trained with.
   *
   * @throws InputException if a recording's word is not known, or nobody says one of the words
   */
  public Corpus saying(Collection<String> words) {
    Set<String> wanted = new TreeSet<>();
    for (String word : words) wanted.add(UtteranceNames.normal(word));
    Set<String> known = new TreeSet<>();
    for (Utterance utterance : utterances) {
      if (utterance.word().isEmpty()) {
        throw InputException.of(
            "%s: utterance %s has no word; training on words needs the file utt2word",
            folder, utterance.id());
      }
      known.add(utterance.word().get());
    }
    for (String word : wanted) if (!known.contains(word)) throw unknown("word", word, known);
    return only(name + ", saying " + String.join(" ", words), u -> wanted.contains(u.word().get()));
  }

  /**
   * The speakers listed in the folder's file {@code NAME.speakers}, one a line.
   *
   * @throws InputException if there is no such file (it lists those there are) or it names a
   *     speaker that the corpus does not have
   */
  public Corpus split(String split) {
    Path file = below(folder, split, ".speakers");
    List<String> chosen = new ArrayList<>();
    if (!Files.isRegularFile(file)) {
      throw CorpusFiles.missing(file, folder, ".speakers", "splits");
    }
    for (CorpusFiles.Line line : CorpusFiles.lines(file)) {
      chosen.add(
          labels.containsKey(line.text())
              ? line.text()
              : speakers.stream()
                  .filter(speaker -> UtteranceNames.alike(speaker, line.text()))
                  .findFirst()
                  .orElseThrow(
                      () -> line.fault("speaker %s has no utterance in %s", line.text(), name)));
    }
    if (chosen.isEmpty()) throw InputException.at(file, "empty; list one speaker a line");
    return subset(chosen, name + ", " + split);
  }

  /**
   * The file {@code trials/NAME.txt} of the folder, or {@code trials/NAME}.
   *
   * @throws InputException if it is not there; it lists those there are
   */
  public Path trialList(String list) {
    Path trials = folder.resolve("trials");
    Path file = below(trials, list, ".txt");
    if (Files.isRegularFile(file)) return file;
    Path plain = trials.resolve(list);
    if (Files.isRegularFile(plain)) return plain;
    throw CorpusFiles.missing(file, trials, ".txt", "trial lists");
  }

  /** A file of the corpus: its name cannot lead elsewhere. */
  private static Path below(Path folder, String name, String ending) {
    try {
      Path file = folder.resolve(name + ending);
      if (folder.equals(file.getParent()) && !name.isEmpty()) return file;
    } catch (InvalidPathException e) {
      // as one that leads elsewhere
    }
    throw InputException.at(
        folder, "'%s' is not the name of a file in it; give a name without folders", name);
  }

  /**
   * One part of a cross-validation over speakers.
   *
   * @param train the speakers to train with
   * @param test the others
   */
  public record Fold(Corpus train, Corpus test) {}

  /**
   * Fold k of n: test speakers are those with index i in {@link #speakers()} where i mod n = k.
   *
   * <p>So every speaker is a test speaker in exactly one of the n folds.
   *
   * @param k 0 to n - 1
   * @throws InputException if there are too few speakers for two to remain on the training side
   */
  public Fold fold(int k, int n) {
    if (n < 2 || k < 0 || k >= n) {
      throw InputException.of("fold %s of %s: folds are 0 to n - 1, n at least 2", k, n);
    }
    int tested = Math.ceilDiv(speakers.size(), n);
    if (n > speakers.size() || speakers.size() - tested < 2) {
      throw InputException.of(
          "%s: %s folds need at least %s speakers, here are %s",
          folder, n, n == 2 ? 4 : n, speakers.size());
    }
    List<String> train = new ArrayList<>();
    List<String> test = new ArrayList<>();
    for (int i = 0; i < speakers.size(); i++) (i % n == k ? test : train).add(speakers.get(i));
    String fold = name + ", fold " + k + " of " + n;
    return new Fold(subset(train, fold + ", train"), subset(test, fold + ", test"));
  }

  /**
   * Checks that every file is there.
   *
   * @return this corpus
   * @throws InputException naming the first missing file, its utterance and the number of them
   */
  public Corpus requireFiles() {
    Path found = null; // segments of a recording follow each other
    Utterance first = null;
    Set<Path> absent = new HashSet<>();
    for (Utterance utterance : utterances) {
      if (utterance.file().equals(found)) continue;
      if (Files.isRegularFile(utterance.file())) {
        found = utterance.file();
      } else if (absent.add(utterance.file()) && first == null) {
        first = utterance;
      }
    }
    if (first == null) return this;
    int missing = absent.size();
    String hidden = Printable.hidden(first.file().toString());
    throw InputException.of(
        "%s: no such file (utterance %s%s%s; correct %s or put the file there",
        first.file(),
        first.id(),
        hidden == null ? "" : "; the name holds " + hidden,
        missing == 1 ? ")" : ", and " + (missing - 1) + " more are missing)",
        folder);
  }

  /**
   * Checks that there are speakers to tell apart.
   *
   * @return this corpus
   * @throws InputException with fewer than two speakers
   */
  public Corpus requireSpeakers() {
    if (speakers.size() >= 2) return this;
    throw InputException.of(
        "%s: %s; training needs at least two",
        folder,
        speakers.isEmpty() ? "no speaker" : "one speaker only (" + speakers.getFirst() + ")");
  }

  /**
   * Reads every recording, 16 kHz, with all processors; {@link CorpusReport#of} has more choices.
   *
   * @throws InterruptedException if interrupted
   */
  public CorpusReport validate() throws InterruptedException {
    return CorpusReport.of(
        this, true, Runtime.getRuntime().availableProcessors(), FeatureSource.Progress.NONE);
  }

  /** SHA-256, in hexadecimal, of the lines {@code UTTERANCE SPEAKER} with newline, sorted. */
  public String sha256() {
    return Sha256.of(utterances.stream().map(u -> u.id() + " " + u.speaker() + "\n"));
  }

  private InputException unknown(String kind, String wanted, Collection<String> known) {
    List<String> near = NearestNames.of(wanted, known, 3);
    return InputException.of(
        "%s: has no %s %s%s",
        folder, kind, wanted, near.isEmpty() ? "" : "; the nearest are " + String.join(", ", near));
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%s: %,d speakers, %,d utterances", name, speakers.size(), utterances.size());
  }
}
