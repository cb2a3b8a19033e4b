package slimvox.data;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import slimvox.audio.Features;
import slimvox.storage.InputException;

/**
 * Reads matrices from Kaldi ark files.
 *
 * <p>At the offset stand a zero byte, {@code B}, the kind and a space, then, little-endian:
 *
 * <ul>
 *   <li>{@code FM}, {@code DM}: byte 4, rows (int32), byte 4, columns (int32), values by row as
 *       float32 or float64;
 *   <li>{@code CM}, {@code CM2}, {@code CM3}: minimum and range (float32), rows and columns
 *       (int32); then for CM2 and CM3 a uint16 or uint8 for each value by row, x = minimum + range
 *       u / 65535 or 255; for CM four uint16 a column, its percentiles 0, 25, 75 and 100 on the CM2
 *       scale, and then a byte a value by column: 0, 64, 192 and 255 stand for the four
 *       percentiles, linear in between.
 * </ul>
 *
 * <p>Source: Kaldi, src/matrix/kaldi-matrix.cc and compressed-matrix.cc.
 */
final class KaldiArk {
  private static final int HEAD_BYTES = 22; // the longest: zero, B, "CM2 ", four numbers

  private KaldiArk() {}

  /**
   * Reads the matrix at an offset.
   *
   * @throws InputException if there is none, or it is cut short
   */
  static Features read(Utterance.Ark place) {
    return with(
        place,
        file -> {
          Matrix matrix = head(place, file);
          byte[] bytes = new byte[(int) matrix.dataBytes];
          file.seek(matrix.dataStart);
          file.readFully(bytes);
          ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
          return new Features(matrix.decode(data), matrix.rows, matrix.columns);
        });
  }

  /** The matrix at an offset, without reading its values. */
  static Matrix head(Utterance.Ark place) {
    return with(place, file -> head(place, file));
  }

  /**
   * Columns of the first matrix that can be read.
   *
   * @throws InputException of the first, if none can
   */
  static int bins(List<Utterance> utterances) {
    InputException first = null;
    for (Utterance utterance : utterances) {
      try {
        return head((Utterance.Ark) utterance.source()).columns();
      } catch (InputException e) {
        if (first == null) first = e;
      }
    }
    throw first;
  }

  private interface Reading<T> {
    T of(RandomAccessFile file) throws IOException;
  }

  private static <T> T with(Utterance.Ark place, Reading<T> reading) {
    Path path = place.file();
    if (!Files.isRegularFile(path)) throw InputException.at(path, "no such file");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
      return reading.of(file);
    } catch (FileNotFoundException e) {
      throw InputException.at(path, "may not be read (%s)", e.getMessage()).because(e);
    } catch (IOException e) {
      throw place.fault("cannot be read (%s)", e.getMessage()).because(e);
    }
  }

  /**
   * Where a matrix lies, and how.
   *
   * @param rows frames
   * @param columns values a frame
   */
  record Matrix(
      String kind,
      int rows,
      int columns,
      float minimum,
      float range,
      long dataStart,
      long dataBytes) {
    float[] decode(ByteBuffer data) {
      float[] values = new float[rows * columns];
      switch (kind) {
        case "FM" -> data.asFloatBuffer().get(values);
        case "DM" -> {
          for (int i = 0; i < values.length; i++) values[i] = (float) data.getDouble(8 * i);
        }
        case "CM2" -> {
          for (int i = 0; i < values.length; i++) values[i] = scaled(data.getShort(2 * i));
        }
        case "CM3" -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = minimum + range * (data.get(i) & 0xff) / 255f;
          }
        }
        default -> decodeColumns(data, values);
      }
      return values;
    }

    private float scaled(short value) {
      return minimum + range * (value & 0xffff) / 65535f;
    }

    private void decodeColumns(ByteBuffer data, float[] values) {
      for (int column = 0; column < columns; column++) {
        float p0 = scaled(data.getShort(8 * column));
        float p25 = scaled(data.getShort(8 * column + 2));
        float p75 = scaled(data.getShort(8 * column + 4));
        float p100 = scaled(data.getShort(8 * column + 6));
        int start = 8 * columns + column * rows;
        for (int row = 0; row < rows; row++) {
          int code = data.get(start + row) & 0xff;
          values[row * columns + column] =
              code <= 64
                  ? p0 + (p25 - p0) * code / 64f
                  : code <= 192
                      ? p25 + (p75 - p25) * (code - 64) / 128f
                      : p75 + (p100 - p75) * (code - 192) / 63f;
        }
      }
    }
  }

  private static Matrix head(Utterance.Ark place, RandomAccessFile file) throws IOException {
    long length = file.length();
    if (place.offset() >= length) {
      throw place.fault("the file ends at byte %d; write the scp file again", length);
    }
    file.seek(place.offset());
    ByteBuffer head =
        ByteBuffer.allocate((int) Math.min(HEAD_BYTES, length - place.offset()))
            .order(ByteOrder.LITTLE_ENDIAN);
    file.readFully(head.array());
    String start = new String(head.array(), StandardCharsets.ISO_8859_1);
    int space = start.indexOf(' ');
    if (!start.startsWith("\0B") || space < 4 || space > 5) {
      throw place.fault(
          "no binary Kaldi matrix; text arks are not read (copy-feats ark:in.ark"
              + " ark,scp:out.ark,out.scp writes binary ones), and the offset must point behind the"
              + " utterance id");
    }
    String kind = start.substring(2, space);
    int valueBytes =
        switch (kind) {
          case "FM" -> 4;
          case "DM" -> 8;
          case "CM2" -> 2;
          case "CM", "CM3" -> 1;
          default -> throw place.fault("a matrix of features is needed, this is kind %s", kind);
        };
    boolean compressed = kind.startsWith("CM");
    int numbers = space + 1;
    int headBytes = numbers + (compressed ? 16 : 10);
    if (head.capacity() < headBytes) throw cut(place, length);
    if (!compressed && (head.get(numbers) != 4 || head.get(numbers + 5) != 4)) {
      throw place.fault("sizes are not 32-bit integers; the file is damaged");
    }
    int rows = head.getInt(numbers + (compressed ? 8 : 1));
    int columns = head.getInt(numbers + (compressed ? 12 : 6));
    if (rows <= 0 || columns <= 0) {
      throw place.fault("%d rows of %d values; leave the utterance out", rows, columns);
    }
    long values = (long) rows * columns;
    long columnHeads = kind.equals("CM") ? 8L * columns : 0;
    long dataStart = place.offset() + headBytes;
    long dataBytes = columnHeads + values * valueBytes;
    if (dataBytes < 0 || dataBytes > length - dataStart) throw cut(place, length);
    if (dataBytes > Integer.MAX_VALUE - 8) {
      throw place.fault("%d rows of %d values are more than 2 GiB", rows, columns);
    }
    float minimum = compressed ? head.getFloat(numbers) : 0;
    float range = compressed ? head.getFloat(numbers + 4) : 0;
    return new Matrix(kind, rows, columns, minimum, range, dataStart, dataBytes);
  }

  private static InputException cut(Utterance.Ark place, long length) {
    String why = "the matrix is cut short, the file ends at byte %d; copy or make it again";
    return place.fault(why, length);
  }
}
