package slimvox.data;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.storage.InputException;
import slimvox.storage.LineLimit;
import slimvox.storage.PlainText;

/**
 * Reads the text files of a corpus: UTF-8, one record a line, first field, spaces or tabs, the
 * rest.
 *
 * <p>A byte-order mark is dropped. Characters that cannot be seen are refused: they make two
 * speakers of one. Paths alone may hold them, for there are files so named.
 */
final class CorpusFiles {
  private CorpusFiles() {}

  /** A line that is not blank, without spaces and tabs at its ends. */
  record Line(Path file, int number, String text) {
    /** File and line number, as error messages begin. */
    String place() {
      return file + ", line " + number;
    }
  }

  /** A line's first field and the rest. */
  record Entry(Line line, String key, String value) {
    /** The rest, field by field. */
    String[] values() {
      return value.split("[ \t]+");
    }
  }

  /** The lines of a file, blank ones left out. */
  static List<Line> lines(Path file) {
    List<Line> lines = new ArrayList<>();
    for (Line line : raw(file)) {
      PlainText.requireVisible(line.text(), line.place());
      lines.add(line);
    }
    return lines;
  }

  private static List<Line> raw(Path file) {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw InputException.at(file, "not a file; put a text file there");
    }
    List<Line> lines = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(new LineLimit(Files.newBufferedReader(file), file))) {
      int number = 0;
      for (String text; (text = reader.readLine()) != null; ) {
        number++;
        if (number == 1 && text.startsWith("\uFEFF")) text = text.substring(1);
        text = text.replaceAll("^[ \t]+|[ \t]+$", "");
        if (!text.isEmpty()) lines.add(new Line(file, number, text));
      }
      return lines;
    } catch (NoSuchFileException e) {
      throw InputException.at(file, "no such file").because(e);
    } catch (AccessDeniedException e) {
      throw InputException.at(file, "may not be read (permission denied)").because(e);
    } catch (CharacterCodingException e) {
      throw InputException.at(file, "%s", PlainText.notUtf8(file)).because(e);
    } catch (IOException e) {
      throw InputException.at(file, "cannot be read (%s)", e.getMessage()).because(e);
    } catch (OutOfMemoryError e) {
      throw LineLimit.tooLarge(file, e);
    }
  }

  /**
   * A file of unique keys.
   *
   * @param form what a line has to look like, for messages: {@code UTTERANCE PATH}
   */
  static Map<String, Entry> entries(Path file, String form) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    boolean paths = form.endsWith("PATH");
    for (Line line : raw(file)) {
      String[] fields = line.text().split("[ \t]+", 2);
      PlainText.requireVisible(fields[0], line.place());
      if (fields.length < 2) {
        throw InputException.at(line.place(), "only one field (%s); a line is %s", fields[0], form);
      }
      PlainText.requireVisible(paths ? ends(fields[1]) : fields[1], line.place());
      Entry earlier = entries.putIfAbsent(fields[0], new Entry(line, fields[0], fields[1]));
      if (earlier != null) {
        throw InputException.of(
            "%s: %s is on line %s already; remove one of them",
            line.place(), fields[0], earlier.line().number());
      }
    }
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

  /** The end of a message on a missing file: what there is instead. */
  static String alternatives(Path folder, String ending, String kind) {
    List<String> names = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (var files = Files.newDirectoryStream(folder, Files::isRegularFile)) {
        for (Path file : files) {
          String name = file.getFileName().toString();
          if (name.endsWith(ending)) names.add(name.substring(0, name.length() - ending.length()));
          else if (ending.equals(".txt")) names.add(name);
        }
      } catch (IOException e) {
        throw InputException.at(folder, "cannot be listed (%s)", e.getMessage()).because(e);
      }
    }
    names.sort(null);
    return names.isEmpty()
        ? "; the corpus has no " + kind
        : "; the corpus has the " + kind + " " + String.join(", ", names);
  }
}
