package slimvox.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.storage.InputException;

/**
 * Reads a Kaldi data folder: {@code wav.scp} or {@code feats.scp}, {@code utt2spk}, and our {@code
 * utt2word} and {@code joined2utt}.
 *
 * <p>Where {@code segments} is beside {@code wav.scp}, that names recordings, and a line {@code
 * UTTERANCE RECORDING START END} cuts an utterance out of one, in seconds; END -1 is the
 * recording's end. Segments may overlap. With {@code feats.scp} it has been used already.
 *
 * <p>Source of the format: kaldi-asr.org/doc/data_prep.html. Commands (lines that end in {@code |})
 * and row ranges ({@code file.ark:10[0:5]}) are refused, not run and not ignored.
 */
final class KaldiFolder {
  private static final Pattern ARK_PLACE = Pattern.compile("(.*?)(?::(\\d{1,18}))?");

  private static final Pattern SECONDS =
      Pattern.compile("(\\d{1,9}\\.?\\d*|\\.\\d+)([eE][-+]?\\d)?");
  private static final String SEGMENT = "UTTERANCE RECORDING START END";

  private KaldiFolder() {}

  static Corpus read(Path folder, String scp) {
    var recordings = CorpusFiles.entries(folder.resolve(scp), "UTTERANCE PATH");
    Path segments = folder.resolve("segments");
    boolean cut = scp.equals("wav.scp") && Files.exists(segments, LinkOption.NOFOLLOW_LINKS);
    var listed = cut ? CorpusFiles.entries(segments, SEGMENT) : recordings;
    String list = cut ? "segments" : scp;
    if (listed.isEmpty()) {
      throw InputException.at(
          folder.resolve(list), "empty; a line is %s", cut ? SEGMENT : "UTTERANCE PATH");
    }
    Path utt2spk = folder.resolve("utt2spk");
    if (!Files.exists(utt2spk)) {
      throw InputException.at(
          utt2spk, "no such file; beside %s it gives each utterance's speaker", list);
    }
    var speakers = CorpusFiles.entries(utt2spk, "UTTERANCE SPEAKER");
    requireKnown(speakers, listed, list);
    Path utt2word = folder.resolve("utt2word");
    Map<String, CorpusFiles.Entry> words =
        Files.exists(utt2word, LinkOption.NOFOLLOW_LINKS)
            ? CorpusFiles.entries(utt2word, "UTTERANCE WORD")
            : Map.of();
    requireKnown(words, listed, list);

    Set<String> used = new HashSet<>();
    Map<String, Utterance> utterances = new LinkedHashMap<>();
    for (CorpusFiles.Entry entry : listed.values()) {
      String id = entry.key();
      CorpusFiles.Entry speaker = speakers.get(id);
      if (speaker == null) {
        throw InputException.at(entry.line().place(), "utterance %s has no speaker in utt2spk", id);
      }
      if (speaker.values().length > 1) {
        throw InputException.at(
            speaker.line().place(), "more than two fields; a line is UTTERANCE SPEAKER");
      }
      Optional<String> word = Optional.ofNullable(words.get(id)).map(CorpusFiles.Entry::value);
      Utterance.Source source =
          cut
              ? segment(folder, entry, recordings, used)
              : scp.equals("wav.scp") ? sound(folder, entry) : ark(folder, entry);
      utterances.put(id, new Utterance(id, speaker.value(), word, source));
    }
    List<String> notes = new ArrayList<>();
    if (cut && used.size() < recordings.size()) {
      String first = recordings.keySet().stream().filter(r -> !used.contains(r)).findFirst().get();
      notes.add(
          "%s: %d of %d recordings are not used, no segment is of %s"
              .formatted(segments, recordings.size() - used.size(), recordings.size(), first));
    }
    var joined = joined(folder, utterances);
    return new Corpus(folder, nameOf(folder), utterances.values(), joined, notes);
  }

  private static Utterance.Source segment(
      Path folder,
      CorpusFiles.Entry entry,
      Map<String, CorpusFiles.Entry> recordings,
      Set<String> used) {
    String[] fields = entry.values();
    String place = entry.line().place();
    if (fields.length != 3) {
      throw InputException.at(
          place, "%s fields; a line is %s (seconds)", fields.length + 1, SEGMENT);
    }
    CorpusFiles.Entry recording = recordings.get(fields[0]);
    if (recording == null) {
      throw InputException.at(place, "recording %s is not in wav.scp", fields[0]);
    }
    used.add(fields[0]);
    double start = seconds(place, fields[1]);
    double end =
        fields[2].matches("-1(\\.0*)?") ? Utterance.Sound.WHOLE : seconds(place, fields[2]);
    if (start >= end) {
      throw InputException.at(
          place, "the segment from %s to %s is empty; correct it", fields[1], fields[2]);
    }
    return new Utterance.Sound(path(folder, recording, recording.value()), start, end);
  }

  private static double seconds(String place, String text) {
    if (!SECONDS.matcher(text).matches()) {
      throw InputException.at(place, "%s is not a time in seconds; a line is %s", text, SEGMENT);
    }
    return Double.parseDouble(text);
  }

  /** The last part of the folder's path. */
  static String nameOf(Path folder) {
    Path last = folder.toAbsolutePath().normalize().getFileName();
    return last == null ? folder.toString() : last.toString();
  }

  private static void requireKnown(
      Map<String, CorpusFiles.Entry> entries, Map<String, CorpusFiles.Entry> listed, String list) {
    for (CorpusFiles.Entry entry : entries.values()) {
      if (!listed.containsKey(entry.key())) {
        throw InputException.at(
            entry.line().place(), "utterance %s is not in %s", entry.key(), list);
      }
    }
  }

  private static Utterance.Source sound(Path folder, CorpusFiles.Entry entry) {
    return new Utterance.Sound(path(folder, entry, entry.value()));
  }

  private static Utterance.Source ark(Path folder, CorpusFiles.Entry entry) {
    if (entry.value().endsWith("]")) {
      throw InputException.of(
          "%s: utterance %s is a range of rows; write the rows to an ark file of their own"
              + " (copy-feats) and list that",
          entry.line().place(), entry.key());
    }
    Matcher place = ARK_PLACE.matcher(entry.value());
    if (!place.matches()) {
      throw InputException.at(entry.line().place(), "%s is not FILE.ark:OFFSET", entry.value());
    }
    long offset = place.group(2) == null ? 0 : Long.parseLong(place.group(2));
    return new Utterance.Ark(path(folder, entry, place.group(1)), offset);
  }

  private static Path path(Path folder, CorpusFiles.Entry entry, String text) {
    if (text.endsWith("|") || text.startsWith("|")) {
      throw InputException.of(
          "%s: utterance %s is a command (|), and commands are not run; run it once yourself and"
              + " list the file it makes",
          entry.line().place(), entry.key());
    }
    try {
      return folder.resolve(text).normalize();
    } catch (InvalidPathException e) {
      throw InputException.at(
              entry.line().place(), "%s is not a path in %s", text, CorpusFiles.nameEncoding())
          .because(e);
    }
  }

  private static Map<String, List<Utterance>> joined(
      Path folder, Map<String, Utterance> utterances) {
    Path file = folder.resolve("joined2utt");
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) return Map.of();
    Map<String, List<Utterance>> joined = new LinkedHashMap<>();
    for (CorpusFiles.Entry entry : CorpusFiles.entries(file, "JOINED UTTERANCE ...").values()) {
      if (utterances.containsKey(entry.key())) {
        throw InputException.at(
            entry.line().place(), "%s is the id of an utterance too", entry.key());
      }
      List<Utterance> parts = new ArrayList<>();
      for (String id : entry.values()) {
        Utterance part = utterances.get(id);
        if (part == null) {
          throw InputException.at(entry.line().place(), "no utterance %s", id);
        }
        if (!parts.isEmpty() && !part.speaker().equals(parts.getFirst().speaker())) {
          throw InputException.of(
              "%s: joins speakers %s and %s",
              entry.line().place(), parts.getFirst().speaker(), part.speaker());
        }
        parts.add(part);
      }
      joined.put(entry.key(), List.copyOf(parts));
    }
    return joined;
  }
}
