package slimvox.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.data.CorpusFiles.Entry;
import slimvox.storage.InputException;
import slimvox.storage.UtteranceNames;

/**
 * Reads a Kaldi data folder: {@code wav.scp} or {@code feats.scp}, {@code utt2spk}, and our {@code
 * utt2word} and {@code joined2utt}.
 *
 * <p>Where {@code segments} is beside {@code wav.scp}, that names recordings, and a line {@code
 * UTTERANCE RECORDING START END} cuts an utterance out of one, in seconds; END -1 is the
 * recording's end. Segments may overlap. With {@code feats.scp} it has been used already.
 *
 * <p>A path in wav.scp may go on with the byte at which a WAV or FLAC file starts in an archive:
 * {@code FILE.ark:BYTE}, {@code FILE.tar:BYTE}.
 *
 * <p>Source of the format: kaldi-asr.org/doc/data_prep.html. Commands (lines that end in {@code |})
 * and row ranges ({@code file.ark:10[0:5]}) are refused, not run and not ignored.
 */
record KaldiFolder(Path folder) {
  private static final Pattern ARK_PLACE = Pattern.compile("(.*?)(?::(\\d{1,18}))?");
  private static final Pattern WITHIN = Pattern.compile("(.*\\.(?:tar|ark)):(\\d{1,18})");
  private static final Pattern SECONDS =
      Pattern.compile("(\\d{1,9}\\.?\\d*|\\.\\d+)([eE][-+]?\\d)?");
  private static final String RECORDING = "UTTERANCE PATH";
  private static final String SEGMENT = "UTTERANCE RECORDING START END";

  static Corpus read(Path folder, String scp) {
    return new KaldiFolder(folder).read(scp);
  }

  private Corpus read(String scp) {
    var recordings = CorpusFiles.entries(folder.resolve(scp), RECORDING);
    Path segments = folder.resolve("segments");
    boolean cut = scp.equals("wav.scp") && CorpusFiles.isThere(segments);
    var listed = cut ? CorpusFiles.entries(segments, SEGMENT) : recordings;
    String list = cut ? "segments" : scp;
    if (listed.isEmpty()) {
      throw InputException.at(
          folder.resolve(list), "empty; a line is %s", cut ? SEGMENT : RECORDING);
    }
    Path utt2spk = folder.resolve("utt2spk");
    if (!Files.exists(utt2spk)) {
      throw InputException.at(
          utt2spk, "no such file; beside %s it gives each utterance's speaker", list);
    }
    var speakers = CorpusFiles.entries(utt2spk, "UTTERANCE SPEAKER");
    requireKnown(speakers, listed, list);
    var words = optional("utt2word", "UTTERANCE WORD");
    requireKnown(words, listed, list);

    Set<String> used = new HashSet<>();
    Map<String, Utterance> utterances = HashMap.newHashMap(listed.size());
    for (var entries = listed.values().iterator(); entries.hasNext(); ) {
      Entry entry = entries.next();
      if (!cut) entries.remove(); // of a large corpus both do not fit
      String id = entry.key();
      Entry speaker = speakers.remove(id);
      if (speaker == null) throw entry.fault("utterance %s has no speaker in utt2spk", id);
      if (speaker.values().length > 1) {
        throw speaker.fault("more than two fields; a line is UTTERANCE SPEAKER");
      }
      Optional<String> word =
          Optional.ofNullable(words.get(id)).map(e -> UtteranceNames.normal(e.value()));
      Utterance.Source source =
          cut
              ? segment(entry, recordings, used)
              : scp.equals("wav.scp") ? sound(entry, 0, Utterance.Sound.WHOLE) : ark(entry);
      utterances.put(id, new Utterance(id, speaker.value(), word, source));
    }
    List<String> notes = new ArrayList<>();
    if (cut && used.size() < recordings.size()) {
      String first = recordings.keySet().stream().filter(r -> !used.contains(r)).findFirst().get();
      notes.add(
          "%s: %d of %d recordings are not used, no segment is of %s"
              .formatted(segments, recordings.size() - used.size(), recordings.size(), first));
    }
    return new Corpus(folder, utterances.values(), joined(utterances), notes);
  }

  private Map<String, Entry> optional(String name, String form) {
    Path file = folder.resolve(name);
    return CorpusFiles.isThere(file) ? CorpusFiles.entries(file, form) : Map.of();
  }

  private Utterance.Source segment(Entry entry, Map<String, Entry> recordings, Set<String> used) {
    String[] fields = entry.values();
    if (fields.length != 3) {
      throw entry.fault("%d fields; a line is %s (seconds)", fields.length + 1, SEGMENT);
    }
    Entry recording = recordings.get(fields[0]);
    if (recording == null) throw entry.fault("recording %s is not in wav.scp", fields[0]);
    used.add(fields[0]);
    double start = seconds(entry, fields[1]);
    boolean whole = fields[2].matches("-1(\\.0*)?");
    double end = whole ? Utterance.Sound.WHOLE : seconds(entry, fields[2]);
    if (start >= end) {
      throw entry.fault("the segment from %s to %s is empty; correct it", fields[1], fields[2]);
    }
    return sound(recording, start, end);
  }

  /**
   * A file, or {@code FILE.tar:BYTE} and {@code FILE.ark:BYTE}, where one starts in a larger one.
   */
  private Utterance.Sound sound(Entry recording, double start, double end) {
    Matcher place = WITHIN.matcher(recording.value());
    return place.matches()
        ? new Utterance.Sound(
            path(recording, place.group(1)), Long.parseLong(place.group(2)), start, end)
        : new Utterance.Sound(path(recording, recording.value()), 0, start, end);
  }

  private static double seconds(Entry entry, String text) {
    if (SECONDS.matcher(text).matches()) return Double.parseDouble(text);
    throw entry.fault("%s is not a time in seconds; a line is %s", text, SEGMENT);
  }

  private static void requireKnown(
      Map<String, Entry> entries, Map<String, Entry> listed, String list) {
    for (Entry entry : entries.values()) {
      if (listed.containsKey(entry.key())) continue;
      boolean alike =
          listed.keySet().stream().anyMatch(id -> UtteranceNames.alike(id, entry.key()));
      throw entry.fault(
          "utterance %s is not in %s%s",
          entry.key(),
          list,
          alike ? ", where its accents are encoded in another way; write both alike" : "");
    }
  }

  private Utterance.Source ark(Entry entry) {
    if (entry.value().endsWith("]")) {
      throw entry.fault(
          "utterance %s is a range of rows; write the rows to an ark file of their own"
              + " (copy-feats) and list that",
          entry.key());
    }
    Matcher place = ARK_PLACE.matcher(entry.value());
    if (!place.matches()) throw entry.fault("%s is not FILE.ark:OFFSET", entry.value());
    long offset = place.group(2) == null ? 0 : Long.parseLong(place.group(2));
    return new Utterance.Ark(path(entry, place.group(1)), offset);
  }

  private Path path(Entry entry, String text) {
    if (text.endsWith("|") || text.startsWith("|")) {
      throw entry.fault(
          "utterance %s is a command (|), and commands are not run; run it once yourself and list"
              + " the file it makes",
          entry.key());
    }
    try {
      return folder.resolve(text).normalize();
    } catch (InvalidPathException e) {
      throw entry.fault("%s is not a path in %s", text, CorpusFiles.nameEncoding()).because(e);
    }
  }

  private Map<String, List<Utterance>> joined(Map<String, Utterance> utterances) {
    Map<String, List<Utterance>> joined = new LinkedHashMap<>();
    for (Entry entry : optional("joined2utt", "JOINED UTTERANCE ...").values()) {
      if (utterances.containsKey(entry.key())) {
        throw entry.fault("%s is the id of an utterance too", entry.key());
      }
      List<Utterance> parts = new ArrayList<>();
      for (String id : entry.values()) {
        Utterance part = utterances.get(id);
        if (part == null) throw entry.fault("no utterance %s", id);
        if (!parts.isEmpty() && !part.speaker().equals(parts.getFirst().speaker())) {
          throw entry.fault("joins speakers %s and %s", parts.getFirst().speaker(), part.speaker());
        }
        parts.add(part);
      }
      joined.put(entry.key(), List.copyOf(parts));
    }
    return joined;
  }
}
