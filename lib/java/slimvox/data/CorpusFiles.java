package slimvox.data;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import slimvox.storage.InputException;
import slimvox.storage.Printable;
import slimvox.storage.TextLines;

/**
 * Reads the text files of a corpus: UTF-8, one record a line, first field, spaces or tabs, the
 * rest.
 *
 * <p>Characters that cannot be seen are refused: they make two speakers of one. Paths alone may
 * hold them, for there are files so named.
 */
final class CorpusFiles {
  private static final Pattern BLANKS = Pattern.compile("[ \t]+");

  private CorpusFiles() {}

  /** A line that is not blank, without spaces and tabs at its ends. */
  record Line(Path file, int number, String text) {
    /** What is wrong with the line: {@code FILE, line NUMBER: MESSAGE}. */
    InputException fault(String format, Object... values) {
      return InputException.at(place(), format, values);
    }

    private String place() {
      return file + ", line " + number;
    }
  }

  /** A line's first field and the rest; of a large corpus there are millions. */
  record Entry(Path file, int number, String key, String value) {
    /** The rest, field by field. */
    String[] values() {
      return BLANKS.split(value);
    }

    /** What is wrong with the line. */
    InputException fault(String format, Object... values) {
      return new Line(file, number, null).fault(format, values);
    }
  }

  /** Whether there is a file of this name, or a link that leads nowhere, which is a fault. */
  static boolean isThere(Path file) {
    return Files.exists(file, LinkOption.NOFOLLOW_LINKS);
  }

  /** The lines of a file, blank ones left out. */
  static List<Line> lines(Path file) {
    List<Line> lines = new ArrayList<>();
    read(file, lines::add);
    for (Line line : lines) Printable.requireVisible(line.text(), line::place);
    return lines;
  }

  private static void read(Path file, Consumer<Line> to) {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw InputException.at(file, "not a file; put a text file there");
    }
    try {
      TextLines.read(
          file,
          (number, line) -> {
            int from = 0;
            int end = line.length();
            while (from < end && isBlank(line.charAt(from))) from++;
            while (from < end && isBlank(line.charAt(end - 1))) end--;
            if (from < end) to.accept(new Line(file, number, line.substring(from, end)));
          });
    } catch (CharacterCodingException e) {
      throw InputException.at(file, "%s", TextLines.notUtf8(file)).because(e);
    } catch (IOException e) {
      throw InputException.unreadable(file, e);
    }
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }

  /**
   * A file of unique keys.
   *
   * @param form what a line has to look like, for messages: {@code UTTERANCE PATH}
   */
  static Map<String, Entry> entries(Path file, String form) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> shared = new HashMap<>(); // speakers and words, which many lines have
    boolean paths = form.endsWith("PATH");
    read(
        file,
        line -> {
          String[] fields = BLANKS.split(line.text(), 2);
          Printable.requireVisible(fields[0], line::place);
          if (fields.length < 2) {
            throw line.fault("only one field (%s); a line is %s", fields[0], form);
          }
          Printable.requireVisible(paths ? ends(fields[1]) : fields[1], line::place);
          String value = paths ? fields[1] : shared.computeIfAbsent(fields[1], v -> v);
          Entry entry = new Entry(file, line.number(), fields[0], value);
          Entry earlier = entries.putIfAbsent(fields[0], entry);
          if (earlier != null) {
            throw line.fault(
                "%s is on line %d already; remove one of them", fields[0], earlier.number());
          }
        });
    return entries;
  }

  /** First and last character. */
  private static String ends(String text) {
    return Character.toString(text.codePointAt(0))
        + Character.toString(text.codePointBefore(text.length()));
  }

  /** The locale's encoding of file names, and how to have another one where it has few letters. */
  static String nameEncoding() {
    String encoding = System.getProperty("sun.jnu.encoding", "UTF-8");
    return encoding.equals("UTF-8") ? encoding : encoding + ", the locale's (set LC_ALL=C.UTF-8)";
  }

  /** The error for a missing file; it lists what there is instead. */
  static InputException missing(Path file, Path folder, String ending, String kind) {
    List<String> names = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (var files = Files.newDirectoryStream(folder, Files::isRegularFile)) {
        for (Path other : files) {
          String name = other.getFileName().toString();
          if (name.endsWith(ending)) names.add(name.substring(0, name.length() - ending.length()));
          else if (ending.equals(".txt")) names.add(name);
        }
      } catch (IOException e) {
        throw InputException.at(folder, "cannot be listed (%s)", e.getMessage()).because(e);
      }
    }
    names.sort(null);
    String there = names.isEmpty() ? "no " + kind : "the " + kind + " " + String.join(", ", names);
    return InputException.at(file, "no such file; the corpus has %s", there);
  }
}
