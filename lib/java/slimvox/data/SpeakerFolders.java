package slimvox.data;

import java.io.IOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import slimvox.storage.InputException;
import slimvox.storage.Printable;
import slimvox.storage.TextLines;

/** Reads a folder that has one folder for each speaker, with WAV and FLAC files anywhere below. */
final class SpeakerFolders extends SimpleFileVisitor<Path> {
  private static final Pattern ENDING = Pattern.compile("(?i)\\.(wav|flac)$");

  /** What sound is often kept as and is not read here, such as VoxCeleb2's .m4a. */
  private static final Pattern NOT_READ =
      Pattern.compile("(?i)\\.(m4a|mp3|mp4|ogg|opus|aac|wma|sph|webm|aiff?|amr)$");

  private final Path folder;
  private final Map<String, Integer> notRead = new TreeMap<>();
  private final List<Path> files = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  private SpeakerFolders(Path folder) {
    this.folder = folder;
  }

  static Corpus read(Path folder) {
    SpeakerFolders found = new SpeakerFolders(folder);
    try {
      Files.walkFileTree(folder, Set.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE, found);
    } catch (IOException e) {
      throw InputException.at(folder, "cannot be listed (%s)", e.getMessage()).because(e);
    }
    if (!found.notRead.isEmpty()) found.notes.add(found.conversion());
    found.files.sort(null);
    Map<String, Utterance> utterances = new LinkedHashMap<>();
    for (Path file : found.files) {
      Utterance utterance = utterance(file, folder.relativize(file));
      Utterance earlier = utterances.putIfAbsent(utterance.id(), utterance);
      if (earlier == null) continue;
      throw InputException.at(
          file, "has the same id %s as %s; rename one of them", utterance.id(), earlier.file());
    }
    if (utterances.isEmpty()) {
      throw InputException.of(
          "%s: no corpus; it has neither wav.scp nor feats.scp, nor folders of speakers with .wav"
              + " or .flac files%s",
          folder, found.notRead.isEmpty() ? "" : "; " + found.conversion());
    }
    return new Corpus(folder, utterances.values(), Map.of(), found.notes);
  }

  private static Utterance utterance(Path file, Path below) {
    if (below.getNameCount() < 2) {
      throw InputException.at(
          file, "lies beside the speakers' folders; put it into a folder named by its speaker");
    }
    String path = below.toString().replace(file.getFileSystem().getSeparator(), "/");
    String id = ENDING.matcher(path).replaceFirst("").replace('/', '-');
    if (path.indexOf('\uFFFD') >= 0) {
      throw InputException.at(
          file, "its name is no text in %s; rename it", CorpusFiles.nameEncoding());
    }
    String hidden = Printable.hidden(id);
    if (hidden != null || id.indexOf(' ') >= 0 || id.indexOf('\t') >= 0) {
      throw InputException.of(
          "%s: %s in the name, which trial lists cannot have; rename it",
          file, hidden == null ? "white space" : hidden);
    }
    String speaker = below.getName(0).toString();
    return new Utterance(id, speaker, Optional.empty(), new Utterance.Sound(file));
  }

  /** How recordings that are not read become some that are. */
  private String conversion() {
    int count = notRead.values().stream().mapToInt(Integer::intValue).sum();
    List<String> patterns = notRead.keySet().stream().map("-iname '*%s'"::formatted).toList();
    String each = "ffmpeg -nostdin -i \"$1\" -ar 16000 -ac 1 \"${1%.*}.wav\"";
    return ("%s: recordings with endings that are not read (%s) are left out, %,d in all; to make"
            + " WAV of them: find %s \\( %s \\) -exec sh -c '%s' _ {} ';'")
        .formatted(
            folder,
            String.join(", ", notRead.keySet()),
            count,
            folder,
            String.join(" -o ", patterns),
            each);
  }

  @Override
  public FileVisitResult preVisitDirectory(Path below, BasicFileAttributes attributes)
      throws IOException {
    if (below.equals(folder) || !Files.isSymbolicLink(below)) return FileVisitResult.CONTINUE;
    Path target = below.toRealPath();
    if (below.getParent().toRealPath().startsWith(target)) return leftOut(below);
    if (!target.startsWith(folder.toRealPath())) return FileVisitResult.CONTINUE;
    notes.add(below + ": a link to a folder that is in the corpus already, left out");
    return FileVisitResult.SKIP_SUBTREE;
  }

  /** Else all that is beside the corpus would be its speaker's. */
  private FileVisitResult leftOut(Path link) {
    notes.add(link + ": a link that leads back to a folder above it, left out");
    return FileVisitResult.SKIP_SUBTREE;
  }

  @Override
  public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
    // A link that leads nowhere is a recording that is missing, as one of wav.scp would be.
    boolean sound = attributes.isRegularFile() || attributes.isSymbolicLink();
    if (sound && isSound(file)) files.add(file);
    else if (sound && NOT_READ.matcher(file.toString()).find()) leaveOut(file);
    else if (attributes.isSymbolicLink()) notes.add(file + ": a link that leads nowhere");
    return FileVisitResult.CONTINUE;
  }

  @Override
  public FileVisitResult visitFileFailed(Path file, IOException e) {
    if (e instanceof FileSystemLoopException) return leftOut(file);
    throw InputException.at(file, "cannot be listed (%s)", TextLines.reason(e)).because(e);
  }

  private void leaveOut(Path file) {
    String name = file.getFileName().toString();
    if (name.startsWith(".")) return;
    notRead.merge(name.substring(name.lastIndexOf('.')).toLowerCase(Locale.ROOT), 1, Integer::sum);
  }

  /** Hidden files (macOS leaves {@code ._x.wav} behind) are not sounds. */
  private static boolean isSound(Path file) {
    String name = file.getFileName() == null ? "" : file.getFileName().toString();
    return !name.startsWith(".") && ENDING.matcher(name).find();
  }
}
