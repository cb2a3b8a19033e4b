package slimvox.audio;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import slimvox.storage.InputException;

/** An open file whose header has been read and found to make sense. */
abstract class AudioFile implements Closeable {
  private static final String TEXT = "it is text";

  final Path path;
  final FileBytes file;

  AudioFile(Path path, FileBytes file) {
    this.path = path;
    this.file = file;
  }

  /** Reads the header of a file of either format. */
  static AudioFile open(Path path, FileBytes file) throws IOException {
    long at = afterTags(file);
    ByteBuffer start = file.readUpTo(at, 36);
    if (file.length() == 0) {
      throw InputException.at(path, "empty (0 bytes); copy or convert it again");
    }
    String text = new String(start.array(), 0, start.limit(), StandardCharsets.ISO_8859_1);
    boolean riff = text.startsWith("RIFF") || text.startsWith("RF64") || text.startsWith("BW64");
    if (riff && at == 0 && (start.limit() < 12 || text.startsWith("WAVE", 8))) {
      return new WavFile(path, file);
    }
    if (text.startsWith("fLaC")) return new FlacFile(path, file, at);
    int shown = Math.min(12, start.limit());
    String bytes = HexFormat.ofDelimiter(" ").formatHex(start.array(), 0, shown);
    if (file.start() > 0) {
      throw InputException.at(
          file, "no WAV or FLAC file starts there (bytes %s); make the list again", bytes);
    }
    String guess = at > 0 ? guess("ID3", "") : guess(text, bytes);
    throw InputException.at(
        path,
        "not a WAV or FLAC file (%s); %s",
        guess,
        guess.equals(TEXT) ? "fetch it again, or leave it out" : conversion(path, ""));
  }

  /** The byte after ID3v2 tags, which some programs put before a FLAC stream. */
  private static long afterTags(FileBytes file) throws IOException {
    long position = 0;
    while (true) {
      ByteBuffer tag = file.readUpTo(position, 10);
      if (tag.limit() < 10 || tag.getInt(0) >>> 8 != 0x494433) return position; // "ID3"
      int length = 0; // seven bits a byte
      for (int i = 6; i < 10; i++) length = length << 7 | tag.get(i) & 0x7f;
      position += length + ((tag.get(5) & 0x10) == 0 ? 10 : 20); // a footer repeats the header
    }
  }

  private static String guess(String start, String hex) {
    if (start.startsWith("ID3") || start.startsWith("\u00ff\u00fb")) return "it looks like MP3";
    if (start.startsWith("ftyp", 4)) return "it looks like MP4/M4A";
    if (start.startsWith("OggS")) {
      return start.startsWith("FLAC", 29) ? "it is FLAC within Ogg" : "it looks like Ogg";
    }
    if (start.startsWith("NIST_1A")) return "it looks like NIST SPHERE";
    if (start.startsWith("RIFX")) return "it is RIFX";
    if (start.startsWith("riff\u002e\u0091\u00cf\u0011")) return "it is Wave64";
    if (start.startsWith("AIF", 8)) return "it is AIFF";
    boolean text = start.matches("(\u00ef\u00bb\u00bf)?[\\s -~]+") && !start.startsWith("RIFF");
    return text ? TEXT : "it starts with the bytes " + hex;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  abstract AudioInfo info();

  /** All samples of a mono file, full scale [-1, 1]; more than the settings allow are refused. */
  abstract float[] samples(ReadSettings settings) throws IOException;

  /** Samples {@code from} to {@code to} - 1 of a mono file whose length the header gives. */
  abstract float[] samples(long from, long to) throws IOException;

  /** What is wrong with the file: its path, a colon and the message. */
  final InputException fault(String format, Object... values) {
    return InputException.at(file, format, values);
  }

  /** The error for a recording that is longer than the settings allow. */
  final InputException tooLong(ReadSettings settings) {
    double perMinute = 60.0 * info().sampleRate();
    int most = settings.mostSamples(info().sampleRate());
    return fault(
        "%.2f minutes or more, at most %.2f are allowed; split it, or raise data.longestMinutes"
            + " (--longest)",
        Math.max(info().frames(), most) / perMinute, most / perMinute);
  }

  /** The command that makes a readable file of this one. */
  final String conversion(String options) {
    return conversion(path, options);
  }

  private static String conversion(Path path, String options) {
    return "convert it: ffmpeg -i %s %s -c:a pcm_s16le OUT.wav"
        .formatted(
            path.getFileName(),
            options.isEmpty() ? "-ac 1 -ar " + AudioFiles.SAMPLE_RATE : options);
  }
}
