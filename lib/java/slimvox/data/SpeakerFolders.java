package slimvox.data;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import slimvox.storage.InputException;

/** Reads a folder that has one folder for each speaker, with WAV and FLAC files anywhere below. */
final class SpeakerFolders {
  private static final Pattern ENDING = Pattern.compile("(?i)\\.(wav|flac)$");

  private SpeakerFolders() {}

  static Corpus read(Path folder) {
    List<Path> files;
    try (var walk = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
      files = walk.filter(SpeakerFolders::isSound).sorted().toList();
    } catch (IOException | java.io.UncheckedIOException e) {
      throw new InputException(folder + ": cannot be listed (" + e.getMessage() + ")", e);
    }
    Map<String, Utterance> utterances = new LinkedHashMap<>();
    for (Path file : files) {
      Path below = folder.relativize(file);
      if (below.getNameCount() < 2) {
        throw new InputException(
            file
                + ": lies beside the speakers' folders; put it into a folder named by its speaker");
      }
      String path = below.toString().replace(file.getFileSystem().getSeparator(), "/");
      String id = ENDING.matcher(path).replaceFirst("").replace('/', '-');
      if (id.chars().anyMatch(Character::isWhitespace)) {
        throw new InputException(
            file + ": white space in the name, which trial lists cannot have; rename it");
      }
      String speaker = below.getName(0).toString();
      Utterance utterance = new Utterance(id, speaker, Optional.empty(), new Utterance.Sound(file));
      Utterance earlier = utterances.putIfAbsent(id, utterance);
      if (earlier != null) {
        throw new InputException(
            file + ": has the same id " + id + " as " + earlier.file() + "; rename one of them");
      }
    }
    if (utterances.isEmpty()) {
      throw new InputException(
          folder
              + ": no corpus; it has neither wav.scp nor feats.scp, nor folders of speakers with"
              + " .wav or .flac files");
    }
    return new Corpus(folder, KaldiFolder.nameOf(folder), utterances.values(), Map.of());
  }

  /** Hidden files (macOS leaves {@code ._x.wav} behind) are not sounds. */
  private static boolean isSound(Path file) {
    String name = file.getFileName() == null ? "" : file.getFileName().toString();
    return !name.startsWith(".")
        && ENDING.matcher(name.toLowerCase(Locale.ROOT)).find()
        && Files.isRegularFile(file);
  }
}
