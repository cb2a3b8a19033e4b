package slimvox.verify;

import java.io.BufferedInputStream;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.LineLimit;
import slimvox.storage.PlainText;
import slimvox.storage.Sha256;

/**
 * Text files of blank-separated fields, one entry a line: the form of trial and score files.
 *
 * <p>Fields are separated by spaces or tabs, in any number. Blank lines are allowed at the end
 * only, so that entry {@code i} is always line {@code i + 1}. Text is UTF-8; a byte-order mark is
 * dropped, other characters that cannot be seen are refused.
 *
 * <p>Commons CSV reads a line of three fields and looks up two names in 0.8 microseconds; cutting
 * lines by hand takes 0.57, too little less for a parser of our own.
 */
final class FieldLines {
  private static final int BUFFER_BYTES = 1 << 16;

  private FieldLines() {}

  /** Takes one line. */
  interface Line {
    /**
     * @param number line number, from 1
     * @param fields its fields, none of them empty
     */
    void accept(int number, String[] fields);
  }

  /** Writes the text of a file. */
  interface Text {
    void write(BufferedWriter out) throws IOException;
  }

  /**
   * Reads a file line by line and returns the SHA-256 of its bytes, in hexadecimal.
   *
   * @throws InputException if the file cannot be read, is not text, or is broken by blank lines
   */
  static String read(Path file, Line line) {
    MessageDigest digest = Sha256.digest();
    int number = 0;
    try (InputStream raw = new DigestInputStream(Files.newInputStream(file), digest);
        BufferedInputStream bytes = new BufferedInputStream(raw, BUFFER_BYTES)) {
      char delimiter = delimiter(bytes);
      // A decoder made by newDecoder() reports malformed bytes; the charset alone would replace
      // them.
      Reader text =
          new LineLimit(new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder()), file);
      CSVFormat format =
          CSVFormat.DEFAULT
              .builder()
              .setDelimiter(delimiter)
              .setQuote(null)
              .setIgnoreEmptyLines(false)
              .get();
      int blankLine = 0;
      try (CSVParser parser = CSVParser.builder().setReader(text).setFormat(format).get()) {
        for (CSVRecord csv : parser) {
          number++;
          String[] fields = fields(csv);
          if (number == 1 && fields.length > 0 && fields[0].startsWith("\uFEFF")) {
            fields[0] = fields[0].substring(1);
          }
          if (fields.length == 0) {
            if (blankLine == 0) blankLine = number;
          } else if (blankLine != 0) {
            throw InputException.at(file, blankLine, "blank line; take it out");
          } else {
            for (String field : fields) PlainText.requireVisible(field, file + ":" + number);
            line.accept(number, fields);
          }
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw unreadable(file, number, e);
    } catch (UncheckedIOException e) {
      throw unreadable(file, number, e.getCause());
    } catch (OutOfMemoryError e) {
      throw LineLimit.tooLarge(file, e);
    }
  }

  /**
   * Writes a text file whole or not at all.
   *
   * @throws InputException if it cannot be written (a full disk, a name that is a folder)
   */
  static void write(Path file, Text text) {
    AtomicFile.write(
        file,
        -1,
        bytes -> {
          BufferedWriter out =
              new BufferedWriter(new OutputStreamWriter(bytes, StandardCharsets.UTF_8));
          text.write(out);
          out.flush();
        });
  }

  /** Text from a file as it may stand in a message: one line, at most 60 characters. */
  static String shown(String text) {
    String visible = text.replaceAll("\\p{Cntrl}", "?");
    return "'" + (visible.length() <= 60 ? visible : visible.substring(0, 57) + "...") + "'";
  }

  /** Tab if the first line holds one, else space; looks ahead and steps back. */
  private static char delimiter(BufferedInputStream in) throws IOException {
    in.mark(BUFFER_BYTES);
    char found = ' ';
    for (int i = 0; i < BUFFER_BYTES; i++) {
      int b = in.read();
      if (b == '\t') found = '\t';
      if (b == '\t' || b == '\n' || b < 0) break;
    }
    in.reset();
    return found;
  }

  /** The fields of a record; more than one blank in a row, or a mixture, is split again. */
  private static String[] fields(CSVRecord csv) {
    String[] fields = csv.values();
    for (String field : fields) {
      if (field.isEmpty() || field.indexOf(' ') >= 0 || field.indexOf('\t') >= 0) {
        String joined = String.join(" ", fields).strip();
        return joined.isEmpty() ? new String[0] : joined.split("\\s+");
      }
    }
    return fields;
  }

  private static InputException unreadable(Path file, int linesRead, IOException e) {
    if (e instanceof CharacterCodingException) {
      // The decoder runs ahead of the lines by up to a buffer, so the line is a lower bound.
      return InputException.of(
              "%s: %s (found after line %s); give a text file of blank-separated fields",
              file, PlainText.notUtf8(file), linesRead)
          .because(e);
    }
    return InputException.at(file, "cannot be read: %s; check the path", reason(e)).because(e);
  }

  private static String reason(IOException e) {
    if (e instanceof NoSuchFileException) return "no such file";
    if (e instanceof AccessDeniedException) return "permission denied";
    String message = String.valueOf(e.getMessage());
    return message.replaceAll("\\p{Cntrl}", " ");
  }
}
