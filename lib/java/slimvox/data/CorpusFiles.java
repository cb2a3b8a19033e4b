package slimvox.data;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.storage.InputException;

/** Reads the text files of a corpus: one record a line, first field, white space, the rest. */
final class CorpusFiles {
  private CorpusFiles() {}

  /** A line that is not blank, without white space at its ends. */
  record Line(Path file, int number, String text) {
    /** File and line number, as error messages begin. */
    String place() {
      return file + ", line " + number;
    }
  }

  /** A line's first field and the rest. */
  record Entry(Line line, String key, String value) {}

  /** The lines of a file, blank ones left out. */
  static List<Line> lines(Path file) {
    List<String> all;
    try {
      all = Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (NoSuchFileException e) {
      throw new InputException(file + ": no such file", e);
    } catch (AccessDeniedException e) {
      throw new InputException(file + ": may not be read (permission denied)", e);
    } catch (CharacterCodingException e) {
      throw new InputException(file + ": not a text file in UTF-8", e);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read (" + e.getMessage() + ")", e);
    }
    List<Line> lines = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      String text = all.get(i).strip();
      if (!text.isEmpty()) lines.add(new Line(file, i + 1, text));
    }
    return lines;
  }

  /**
   * A file of unique keys.
   *
   * @param form what a line has to look like, for messages: {@code UTTERANCE PATH}
   */
  static Map<String, Entry> entries(Path file, String form) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Line line : lines(file)) {
      String[] fields = line.text().split("\\s+", 2);
      if (fields.length < 2) {
        throw new InputException(
            line.place() + ": only one field (" + fields[0] + "); a line is " + form);
      }
      Entry earlier = entries.putIfAbsent(fields[0], new Entry(line, fields[0], fields[1]));
      if (earlier != null) {
        throw new InputException(
            line.place()
                + ": "
                + fields[0]
                + " is on line "
                + earlier.line().number()
                + " already; remove one of them");
      }
    }
    return entries;
  }

  /** The end of a message on a missing file: what there is instead. */
  static String alternatives(Path folder, String ending, String kind) {
    List<String> names = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (var files = Files.newDirectoryStream(folder, "*" + ending)) {
        for (Path file : files) {
          String name = file.getFileName().toString();
          names.add(name.substring(0, name.length() - ending.length()));
        }
      } catch (IOException e) {
        throw new InputException(folder + ": cannot be listed (" + e.getMessage() + ")", e);
      }
    }
    names.sort(null);
    return names.isEmpty()
        ? "; the corpus has no " + kind
        : "; the corpus has the " + kind + " " + String.join(", ", names);
  }
}
