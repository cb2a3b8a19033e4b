package slimvox.storage;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.FilterReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.StringTokenizer;
import java.util.stream.Stream;

/**
 * Text files in UTF-8, line by line, and their form with fields between blanks, in which trials and
 * scores are listed.
 *
 * <p>A byte-order mark is dropped. A line has an end: a device or a binary file, read as text,
 * would fill the memory.
 */
public final class TextLines {
  /** Characters a line may have; those of lists and trials have a few hundred. */
  private static final int MOST = 1 << 20;

  private TextLines() {}

  /** Takes one line, or its fields. */
  @FunctionalInterface
  public interface Visitor<T> {
    /** Takes the line with this number, from 1. */
    void accept(int number, T line);
  }

  /**
   * Reads a file line by line and returns the SHA-256 of its bytes, in hexadecimal.
   *
   * @throws IOException if the file cannot be read; a {@link CharacterCodingException} if it is not
   *     UTF-8
   * @throws InputException if a line or the file is too long
   */
  public static String read(Path file, Visitor<String> visitor) throws IOException {
    MessageDigest digest = Sha256.digest();
    // A decoder made by newDecoder() reports malformed bytes; the charset alone would replace them.
    try (Reader text =
            new InputStreamReader(
                new DigestInputStream(Files.newInputStream(file), digest),
                StandardCharsets.UTF_8.newDecoder());
        BufferedReader lines = new BufferedReader(new Limit(text, file))) {
      int number = 0;
      for (String line; (line = lines.readLine()) != null; ) {
        if (++number == 1 && line.startsWith("\uFEFF")) line = line.substring(1);
        visitor.accept(number, line);
      }
    } catch (OutOfMemoryError e) {
      throw InputException.of(
              "%s: is larger than the Java heap of %d MiB can hold; set SLIMVOX_XMX, for example"
                  + " SLIMVOX_XMX=8g, or give a file of fewer lines",
              file, Runtime.getRuntime().maxMemory() >> 20)
          .because(e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Reads lines of fields that are separated by spaces or tabs, in any number, and returns the
   * SHA-256 of the file's bytes.
   *
   * <p>Blank lines are allowed at the end only, so that entry {@code i} is always line {@code i +
   * 1}. Characters that cannot be seen are refused.
   *
   * @throws InputException if the file cannot be read, is not text, or is broken by blank lines
   */
  public static String readFields(Path file, Visitor<String[]> visitor) {
    int[] place = new int[2]; // the latest line, and the first blank one
    try {
      return read(
          file,
          (number, line) -> {
            place[0] = number;
            String[] fields = fields(line);
            if (fields.length == 0) {
              if (place[1] == 0) place[1] = number;
              return;
            }
            if (place[1] != 0) throw InputException.at(file, place[1], "blank line; take it out");
            Printable.requireVisible(line, () -> file + ":" + number);
            visitor.accept(number, fields);
          });
    } catch (CharacterCodingException e) {
      // The decoder runs ahead of the lines by up to a buffer, so the line is a lower bound.
      throw InputException.of(
              "%s: %s%s; give a text file of blank-separated fields",
              file, notUtf8(file), place[0] == 0 ? "" : " (found after line " + place[0] + ")")
          .because(e);
    } catch (IOException e) {
      throw InputException.at(file, "cannot be read: %s; check the path", reason(e)).because(e);
    }
  }

  /** What stands between the blanks of a line. */
  private static String[] fields(String line) {
    StringTokenizer blanks = new StringTokenizer(line, " \t");
    String[] fields = new String[blanks.countTokens()];
    for (int i = 0; i < fields.length; i++) fields[i] = blanks.nextToken();
    return fields;
  }

  /** Text from a file as it may stand in a message: one line, at most 60 characters. */
  public static String shown(String text) {
    String visible = text.replaceAll("\\p{Cntrl}", "?");
    return "'" + (visible.length() <= 60 ? visible : visible.substring(0, 57) + "...") + "'";
  }

  /** Why a file whose bytes are no UTF-8 cannot be read, for messages. */
  public static String notUtf8(Path file) {
    try (var bytes = Files.newInputStream(file)) {
      String mark = HexFormat.of().formatHex(bytes.readNBytes(2));
      if (mark.equals("fffe") || mark.equals("feff")) return "text in UTF-16; save it as UTF-8";
      if (mark.equals("1f8b")) return "packed by gzip; unpack it with gunzip";
    } catch (IOException e) {
      // The first failure is the one to report.
    }
    return "not UTF-8 text";
  }

  /** What a failure to read or write means, for messages. */
  public static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException _ -> "no such file";
      case AccessDeniedException _ -> "permission denied";
      default -> String.valueOf(e.getMessage()).replace("Is a directory", "is a folder");
    };
  }

  /** Writes a text file, piece by piece, whole or not at all; refused where that cannot be. */
  public static void write(Path file, Stream<String> text) {
    AtomicFile.write(
        file,
        -1,
        bytes -> {
          var out = new BufferedWriter(new OutputStreamWriter(bytes, StandardCharsets.UTF_8));
          for (String piece : (Iterable<String>) text::iterator) out.write(piece);
          out.flush();
        });
  }

  /** Counts the characters of each line. */
  private static final class Limit extends FilterReader {
    private final Path file;
    private long line = 1;
    private long length;

    Limit(Reader in, Path file) {
      super(in);
      this.file = file;
    }

    @Override
    public int read(char[] text, int from, int count) throws IOException {
      int read = super.read(text, from, count);
      for (int i = from; i < from + read; i++) {
        if (text[i] == '\n' || text[i] == '\r') {
          if (text[i] == '\n') line++;
          length = 0;
        } else if (++length > MOST) {
          throw InputException.of(
              "%s:%d: a line of more than %d characters; is it a text file?", file, line, MOST);
        }
      }
      return read;
    }
  }
}
