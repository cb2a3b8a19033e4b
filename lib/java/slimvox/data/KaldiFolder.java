package slimvox.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.storage.InputException;

/**
 * Reads a Kaldi data folder: {@code wav.scp} or {@code feats.scp}, {@code utt2spk}, and our {@code
 * utt2word} and {@code joined2utt}.
 *
 * <p>Source of the format: kaldi-asr.org/doc/data_prep.html. Commands (lines that end in {@code |})
 * and row ranges ({@code file.ark:10[0:5]}) are refused, not run and not ignored.
 */
final class KaldiFolder {
  private static final Pattern ARK_PLACE = Pattern.compile("(.*?)(?::(\\d{1,18}))?");

  private KaldiFolder() {}

  static Corpus read(Path folder, String scp) {
    var sources = CorpusFiles.entries(folder.resolve(scp), "UTTERANCE PATH");
    if (sources.isEmpty()) {
      throw new InputException(folder.resolve(scp) + ": empty; a line is UTTERANCE PATH");
    }
    Path utt2spk = folder.resolve("utt2spk");
    if (!Files.exists(utt2spk)) {
      throw new InputException(
          utt2spk + ": no such file; beside " + scp + " it gives each utterance's speaker");
    }
    var speakers = CorpusFiles.entries(utt2spk, "UTTERANCE SPEAKER");
    requireKnown(speakers, sources, scp);
    Path utt2word = folder.resolve("utt2word");
    Map<String, CorpusFiles.Entry> words =
        Files.exists(utt2word) ? CorpusFiles.entries(utt2word, "UTTERANCE WORD") : Map.of();
    requireKnown(words, sources, scp);

    Map<String, Utterance> utterances = new LinkedHashMap<>();
    for (CorpusFiles.Entry entry : sources.values()) {
      String id = entry.key();
      CorpusFiles.Entry speaker = speakers.get(id);
      if (speaker == null) {
        throw new InputException(
            entry.line().place() + ": utterance " + id + " has no speaker in utt2spk");
      }
      if (speaker.value().split("\\s+").length > 1) {
        throw new InputException(
            speaker.line().place() + ": more than two fields; a line is UTTERANCE SPEAKER");
      }
      Optional<String> word = Optional.ofNullable(words.get(id)).map(CorpusFiles.Entry::value);
      Utterance.Source source = scp.equals("wav.scp") ? sound(folder, entry) : ark(folder, entry);
      utterances.put(id, new Utterance(id, speaker.value(), word, source));
    }
    return new Corpus(folder, nameOf(folder), utterances.values(), joined(folder, utterances));
  }

  /** The last part of the folder's path. */
  static String nameOf(Path folder) {
    Path last = folder.toAbsolutePath().normalize().getFileName();
    return last == null ? folder.toString() : last.toString();
  }

  private static void requireKnown(
      Map<String, CorpusFiles.Entry> entries, Map<String, CorpusFiles.Entry> sources, String scp) {
    for (CorpusFiles.Entry entry : entries.values()) {
      if (!sources.containsKey(entry.key())) {
        throw new InputException(
            entry.line().place() + ": utterance " + entry.key() + " is not in " + scp);
      }
    }
  }

  private static Utterance.Source sound(Path folder, CorpusFiles.Entry entry) {
    return new Utterance.Sound(path(folder, entry, entry.value()));
  }

  private static Utterance.Source ark(Path folder, CorpusFiles.Entry entry) {
    if (entry.value().endsWith("]")) {
      throw new InputException(
          entry.line().place()
              + ": utterance "
              + entry.key()
              + " is a range of rows; write the rows to an ark file of their own"
              + " (copy-feats) and list that");
    }
    Matcher place = ARK_PLACE.matcher(entry.value());
    if (!place.matches()) {
      throw new InputException(
          entry.line().place() + ": " + entry.value() + " is not FILE.ark:OFFSET");
    }
    long offset = place.group(2) == null ? 0 : Long.parseLong(place.group(2));
    return new Utterance.Ark(path(folder, entry, place.group(1)), offset);
  }

  private static Path path(Path folder, CorpusFiles.Entry entry, String text) {
    if (text.endsWith("|") || text.startsWith("|")) {
      throw new InputException(
          entry.line().place()
              + ": utterance "
              + entry.key()
              + " is a command (|), and commands are not run; run it once yourself and list the"
              + " file it makes");
    }
    try {
      return folder.resolve(text).normalize();
    } catch (InvalidPathException e) {
      throw new InputException(entry.line().place() + ": " + text + " is not a path", e);
    }
  }

  private static Map<String, List<Utterance>> joined(
      Path folder, Map<String, Utterance> utterances) {
    Path file = folder.resolve("joined2utt");
    if (!Files.exists(file)) return Map.of();
    Map<String, List<Utterance>> joined = new LinkedHashMap<>();
    for (CorpusFiles.Entry entry : CorpusFiles.entries(file, "JOINED UTTERANCE ...").values()) {
      if (utterances.containsKey(entry.key())) {
        throw new InputException(
            entry.line().place() + ": " + entry.key() + " is the id of an utterance too");
      }
      List<Utterance> parts = new ArrayList<>();
      for (String id : entry.value().split("\\s+")) {
        Utterance part = utterances.get(id);
        if (part == null) {
          throw new InputException(entry.line().place() + ": no utterance " + id);
        }
        if (!parts.isEmpty() && !part.speaker().equals(parts.getFirst().speaker())) {
          throw new InputException(
              entry.line().place()
                  + ": joins speakers "
                  + parts.getFirst().speaker()
                  + " and "
                  + part.speaker());
        }
        parts.add(part);
      }
      joined.put(entry.key(), List.copyOf(parts));
    }
    return joined;
  }
}
