package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;
import static slimvox.audio.AudioFilesTest.chunk;
import static slimvox.audio.AudioFilesTest.format;
import static slimvox.audio.AudioFilesTest.riff;
import static slimvox.audio.AudioFilesTest.wav;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.InputException;

class WavFileTest {
  private static final int PCM = 1;
  private static final int FLOAT = 3;
  private static final int A_LAW = 6;
  private static final int MU_LAW = 7;

  @TempDir Path folder;

  /** Bytes and the values that libsndfile gives for them. */
  enum Known {
    PCM_8(
        PCM, 8, "8-bit PCM", bytes(0, 127, 128, 129, 255), -1, -1f / 128, 0, 1f / 128, 127f / 128),
    PCM_12(PCM, 12, "12-bit PCM", bytes(0xf0, 0x7f, 0, 0x80), 2047f / 2048, -1),
    PCM_16(PCM, 16, "16-bit PCM", bytes(0xff, 0x7f, 0, 0x80, 1, 0), 32767f / 32768, -1, 0x1p-15f),
    PCM_20(PCM, 20, "20-bit PCM", bytes(0xf0, 0xff, 0x7f, 0, 0, 0x80), 524287f / 524288, -1),
    PCM_24(
        PCM,
        24,
        "24-bit PCM",
        bytes(0xff, 0xff, 0x7f, 0, 0, 0x80, 1, 0, 0, 0xff, 0xff, 0xff),
        8388607f / 8388608,
        -1,
        0x1p-23f,
        -0x1p-23f),
    PCM_32(
        PCM,
        32,
        "32-bit PCM",
        bytes(0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0x80, 1, 0, 0, 0),
        1,
        -1,
        0x1p-31f),
    FLOAT_32(FLOAT, 32, "32-bit float", bytes(0, 0, 0xc0, 0x3f, 0, 0, 0, 0x80), 1.5f, -0f),
    FLOAT_64(
        FLOAT,
        64,
        "64-bit float",
        bytes(0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf),
        0.1f,
        -1),
    // The ends of the tables in ITU-T G.711, and their values next to zero.
    A_LAW_8(
        A_LAW,
        8,
        "A-law",
        bytes(0xaa, 0x2a, 0xd5, 0x55, 0x80),
        32256f / 32768,
        -32256f / 32768,
        8f / 32768,
        -8f / 32768,
        5504f / 32768),
    MU_LAW_8(
        MU_LAW,
        8,
        "mu-law",
        bytes(0x80, 0x00, 0xff, 0x7f, 0xfe, 0x7e),
        32124f / 32768,
        -32124f / 32768,
        0,
        0,
        8f / 32768,
        -8f / 32768);

    final int tag;
    final int bits;
    final String encoding;
    final byte[] data;
    final float[] expected;

    Known(int tag, int bits, String encoding, byte[] data, float... expected) {
      this.tag = tag;
      this.bits = bits;
      this.encoding = encoding;
      this.data = data;
      this.expected = expected;
    }

    int width() {
      return (bits + 7) / 8;
    }

    /** A "fmt " chunk whose block length is of whole bytes. */
    byte[] header() {
      byte[] header = format(tag, 1, 16000, bits);
      header[12] = (byte) width();
      return header;
    }

    byte[] extensibleHeader() {
      var out = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
      out.put(header()).putShort((short) 22).putShort((short) bits).putInt(4);
      out.putShort(0, (short) 0xfffe).putShort(14, (short) (8 * width()));
      out.putInt(tag).putShort((short) 0).putShort((short) 0x10);
      return out.put(bytes(0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)).array();
    }
  }

  static byte[] bytes(int... values) {
    var bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) bytes[i] = (byte) values[i];
    return bytes;
  }

  @Test
  void everyEncodingGivesItsKnownValues() throws IOException {
    for (Known k : Known.values()) {
      assertReads(k.expected, wav(k.header(), k.data), k.name());
      assertEquals(
          k.encoding, AudioFiles.with(folder.resolve("a.wav"), 0, AudioFile::info).encoding());
      assertReads(k.expected, wav(k.extensibleHeader(), k.data), k + " as WAVE_FORMAT_EXTENSIBLE");
    }
  }

  @Test
  void thePackageOfTheJdkReadsTheLawsAlike() throws IOException {
    var codes = new byte[256];
    for (int i = 0; i < 256; i++) codes[i] = (byte) i;
    for (var law : List.of(AudioFormat.Encoding.ALAW, AudioFormat.Encoding.ULAW)) {
      var source = new AudioFormat(law, 8000, 8, 1, 1, 8000, false);
      var target = new AudioFormat(8000, 16, 1, true, false);
      var stream = new AudioInputStream(new ByteArrayInputStream(codes), source, 256);
      byte[] pcm = AudioSystem.getAudioInputStream(target, stream).readAllBytes();
      var words = ByteBuffer.wrap(pcm).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
      boolean aLaw = law == AudioFormat.Encoding.ALAW;
      for (int i = 0; i < 256; i++) {
        int ours = aLaw ? WavFile.aLaw(codes[i]) : WavFile.muLaw(codes[i]);
        assertEquals(words.get(i), ours, law + " " + i);
      }
    }
  }

  @Test
  void otherChunksMayStandAnywhere() throws IOException {
    Known k = Known.PCM_8; // five bytes: an odd chunk
    byte[] junk = chunk("JUNK", new byte[28]);
    byte[] odd = chunk("bext", new byte[7]);
    byte[] list = chunk("LIST", new byte[13]);
    byte[] fmt = chunk("fmt ", k.header());
    byte[] data = chunk("data", k.data);
    assertReads(k.expected, riff(junk, list, fmt, odd, data, list, odd), "before and after");
    assertReads(k.expected, riff(fmt, unpadded(odd), data, list), "an odd chunk not filled up");
    assertReads(k.expected, riff(fmt, unpadded(data), list), "odd data not filled up");
    byte[] tag = Arrays.copyOf("TAGtitle".getBytes(StandardCharsets.US_ASCII), 128);
    assertReads(k.expected, riff(fmt, data, tag), "an ID3v1 tag");
    for (String other : new String[] {"ID3\u0003", "APETAGEX\u0007"}) {
      tag = Arrays.copyOf(other.getBytes(StandardCharsets.US_ASCII), 128);
      Arrays.fill(tag, 20, 128, (byte) 'x');
      assertReads(k.expected, riff(fmt, data, tag), other);
    }
    assertReads(k.expected, riff(fmt, data, new byte[70000]), "zeros up to a whole sector");
  }

  private static byte[] unpadded(byte[] chunk) {
    return Arrays.copyOf(chunk, chunk.length - 1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"RF64", "BW64"})
  void lengthsOf64BitsAreUnderstood(String form) throws IOException {
    Known k = Known.PCM_16;
    for (long length : new long[] {k.data.length, 0, -1, 1L << 40}) {
      byte[] all = rf64(form, k, length);
      assertReads(k.expected, all, form + " " + length);
    }
  }

  static byte[] rf64(String form, Known k, long length) {
    var sizes = ByteBuffer.allocate(28).order(ByteOrder.LITTLE_ENDIAN);
    sizes.putLong(100).putLong(length).putLong(3);
    byte[] all =
        riff(chunk("ds64", sizes.array()), chunk("fmt ", k.header()), chunk("data", k.data));
    System.arraycopy(form.getBytes(StandardCharsets.US_ASCII), 0, all, 0, 4);
    ByteBuffer.wrap(all).putInt(4, -1).putInt(all.length - k.data.length - 4, -1);
    return all;
  }

  /** Recorders that were switched off and programs that write to a pipe leave these lengths. */
  @ParameterizedTest
  @ValueSource(longs = {0, 0x7ffff000L, 0x7fffffffL, 0x80000000L, 0xffffffdbL, 0xffffffffL})
  void withoutALengthTheSamplesGoToTheEnd(long length) throws IOException {
    for (Known k : Known.values()) {
      byte[] all = wav(k.header(), new byte[0]);
      int at = all.length - 4;
      all = Arrays.copyOf(all, all.length + k.data.length);
      System.arraycopy(k.data, 0, all, at + 4, k.data.length);
      ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).putInt(4, 0).putInt(at, (int) length);
      assertReads(k.expected, all, k + " " + length);
      if (k.width() > 1) {
        assertReads(
            Arrays.copyOf(k.expected, k.expected.length - 1),
            Arrays.copyOf(all, all.length - 1),
            k + " ends within a sample");
      }
    }
  }

  @Test
  void noSamplesAreNoSamples() throws IOException {
    byte[] fmt = chunk("fmt ", format(PCM, 1, 16000, 16));
    for (byte[] tail : List.of(new byte[0], new byte[1], chunk("LIST", new byte[26]))) {
      assertFault(
          riff(fmt, chunk("data", new byte[0]), tail),
          "a WAV header without samples; leave the file out");
    }
  }

  @Test
  void aLengthShorterThanTheSoundIsRefused() throws IOException {
    byte[] sound = new byte[4000];
    for (int i = 0; i < sound.length; i += 2) sound[i] = (byte) (i / 7 | 1);
    byte[] all = wav(format(PCM, 1, 16000, 16), sound);
    for (int length : new int[] {2, 1000, 3900}) {
      ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).putInt(40, length);
      assertFault(
          all,
          "its header ends the samples at byte "
              + (44 + length)
              + ", but "
              + (4000 - length)
              + " bytes follow that are no chunk; if they are sound, convert it: ffmpeg"
              + " -ignore_length 1 -i a.wav -c:a pcm_s16le OUT.wav; if not, the same without"
              + " -ignore_length 1");
    }
  }

  @Test
  void aLengthLongerThanTheFileIsRefused() throws IOException {
    byte[] all = wav(format(PCM, 1, 16000, 16), new byte[40]);
    for (int length : new int[] {41, 42, 4000, 0x7fffefff}) {
      ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).putInt(40, length);
      assertFault(
          all,
          "cut short at byte 84: its header promises samples up to byte "
              + (44L + length)
              + "; copy or convert it again");
    }
  }

  @Test
  void samplesOfUnclearWidthAreRefused() throws IOException {
    byte[] header = format(PCM, 1, 16000, 24);
    header[12] = 4;
    assertFault(
        wav(header, new byte[40]),
        "4 bytes for 1 samples of 24 bits: which of them count is not clear; convert it: ffmpeg"
            + " -i a.wav -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav");
    byte[] other = Known.PCM_16.extensibleHeader();
    other[39] = 0;
    assertTrue(fault(wav(other, new byte[40])).startsWith("WAV format 0xfffe; "));
  }

  @Test
  void numbersBeyondFloatAreNamed() throws IOException {
    var data = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    data.putDouble(1).putDouble(1e300);
    byte[] all = wav(Known.FLOAT_64.header(), data.array());
    assertTrue(fault(all).startsWith("sample 1 at byte 52 is Infinity; convert it"), fault(all));
  }

  @Test
  void wave64IsRefusedByName() throws IOException {
    var all = new byte[100];
    System.arraycopy(
        bytes('r', 'i', 'f', 'f', 0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb), 0, all, 0, 12);
    assertTrue(fault(all).startsWith("not a WAV or FLAC file (it is Wave64); "), fault(all));
  }

  @ParameterizedTest
  @CsvSource({"8000, 1", "16000, 2", "44100, 3", "48000, 4"})
  void aRecordingOverTheLimitIsRefusedBeforeItIsRead(int rate, int width) throws IOException {
    Path file = sparse(rate, width, 7201L * rate * width);
    var settings = new ReadSettings(true, 120);
    assertRefused(
        file
            + ": 120.02 minutes or more, at most 120.00 are allowed; split it, or raise"
            + " data.longestMinutes (--longest)",
        () -> AudioFiles.read(file, 16000, settings));
    assertThrows(InputException.class, () -> AudioFiles.probe(file, 0, 16000, settings));
    AudioFiles.probe(file, 0, 16000, new ReadSettings(true, 120.1));
  }

  @Test
  void aRecordingThatDoesNotFitIntoTheHeapIsNamed() throws IOException {
    long heap = Runtime.getRuntime().maxMemory();
    assumeTrue(heap <= 1L << 32, "a heap of 4 GiB or less");
    Path file = sparse(16000, 1, 1L << 30);
    var settings = new ReadSettings(false, 2000);
    assertRefused(
        file
            + ": does not fit into the Java heap of "
            + (heap >> 20)
            + " MiB; split it, take fewer threads, or a larger heap: SLIMVOX_XMX=8g",
        () -> AudioFiles.read(file, 16000, settings));
  }

  /** PCM zeros that take no room on the disk. */
  private Path sparse(int rate, int width, long length) throws IOException {
    byte[] start = wav(format(PCM, 1, rate, 8 * width), new byte[0]);
    ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).putInt(40, (int) length);
    Path file = Files.write(folder.resolve("a.wav"), start);
    try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(44 + length);
    }
    return file;
  }

  private void assertReads(float[] expected, byte[] bytes, String what) throws IOException {
    Path file = Files.write(folder.resolve("a.wav"), bytes);
    assertEquals(expected.length, AudioFiles.with(file, 0, AudioFile::info).frames(), what);
    assertArrayEquals(expected, AudioFiles.read(file).samples(), what);
  }

  private void assertFault(byte[] bytes, String fault) throws IOException {
    assertEquals(fault, fault(bytes));
  }

  private String fault(byte[] bytes) throws IOException {
    Path file = Files.write(folder.resolve("a.wav"), bytes);
    String error = refused(() -> AudioFiles.read(file));
    assertTrue(error.startsWith(file + ": "), error);
    return error.substring(file.toString().length() + 2);
  }
}
