package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.InputException;

class AudioFilesTest {
  private static final Waveform WORD = AudioFiles.read(Reference.DATA.resolve("word.flac"));
  private static final String AGAIN = "convert it: ffmpeg -i a.wav -ac 1 -ar 16000";

  @TempDir Path folder;

  @Test
  void pcmComesBackAsItWasWritten() throws IOException {
    Path file = folder.resolve("a.wav");
    WavWriter.writePcm16(file, WORD);
    assertArrayEquals(WORD.samples(), AudioFiles.read(file).samples());
    assertEquals(
        new AudioInfo("WAV", "16-bit PCM", 16000, 1, 16000),
        AudioFiles.probe(file, 0, 16000, ReadSettings.DEFAULT));
    assertEquals(1.0, AudioFiles.with(file, 0, AudioFile::info).durationSeconds());
  }

  @Test
  void floatComesBackAsItWasWritten() throws IOException {
    Path file = folder.resolve("a.wav");
    float[] samples = {0, 1.5f, -1e-20f, 0.1f, -1};
    WavWriter.writeFloat32(file, new Waveform(samples, 8000));
    Waveform read = AudioFiles.read(file, 8000, ReadSettings.DEFAULT);
    assertArrayEquals(samples, read.samples());
    assertEquals(8000, read.sampleRate());
    assertEquals("32-bit float", AudioFiles.with(file, 0, AudioFile::info).encoding());
  }

  @Test
  void pcmIsRoundedAndLimited() throws IOException {
    Path file = folder.resolve("a.wav");
    float[] samples = {1, -1, 2, -2, 0.49f / 32768, -0.51f / 32768, 32766.6f / 32768};
    WavWriter.writePcm16(file, new Waveform(samples, 16000));
    float top = 32767f / 32768;
    assertArrayEquals(
        new float[] {top, -1, top, -1, 0, -1f / 32768, top}, AudioFiles.read(file).samples());
  }

  @Test
  void anInterruptedThreadStillReads() throws IOException {
    Path file = folder.resolve("a.wav");
    WavWriter.writePcm16(file, WORD);
    Thread.currentThread().interrupt();
    assertArrayEquals(WORD.samples(), AudioFiles.read(file).samples());
    assertTrue(Thread.interrupted(), "the interrupt is still there for who waits for it");
  }

  @Test
  void extraChunksAndOddPaddingAreSteppedOver() throws IOException {
    byte[] data = {1, 0, 2, 0, 0, (byte) 0x80};
    Path file =
        write(
            riff(
                chunk("LIST", new byte[13]),
                chunk("fmt ", format(1, 1, 16000, 16)),
                chunk("bext", new byte[7]),
                chunk("data", data),
                chunk("LIST", new byte[5])));
    float unit = 1f / 32768;
    assertArrayEquals(new float[] {unit, 2 * unit, -1}, AudioFiles.read(file).samples());
  }

  @Test
  void flacHoldsTheSamplesThatWereWritten() throws Exception {
    Path file = Reference.DATA.resolve("word.flac");
    assertEquals(
        new AudioInfo("FLAC", "16-bit FLAC", 16000, 1, 16000),
        AudioFiles.probe(file, 0, 16000, ReadSettings.DEFAULT));
    var words = ByteBuffer.allocate(32000).order(ByteOrder.LITTLE_ENDIAN);
    for (float sample : WORD.samples()) words.putShort((short) (sample * 32768));
    byte[] sum = MessageDigest.getInstance("SHA-256").digest(words.array());
    assertEquals("c199371306b0b765", HexFormat.of().formatHex(sum, 0, 8));
  }

  @Test
  void flacOf24BitsKeepsItsLowerBits() {
    float[] samples = AudioFiles.read(Reference.DATA.resolve("tail24.flac")).samples();
    assertEquals(2000, samples.length);
    for (int i = 0; i < 2000; i++) {
      assertEquals(WORD.samples()[14000 + i] + (i % 256) * 0x1p-23f, samples[i], "sample " + i);
    }
  }

  @Test
  void formatIsToldByContentNotByName() throws IOException {
    Path file = folder.resolve("named.wav");
    Files.copy(Reference.DATA.resolve("word.flac"), file);
    assertArrayEquals(WORD.samples(), AudioFiles.read(file).samples());
  }

  @Test
  void truncatedFileNamesTheByte() throws IOException {
    Path file = folder.resolve("a.wav");
    WavWriter.writePcm16(file, WORD);
    cut(file, 20001);
    assertFault(
        file,
        "cut short at byte 20001: its header promises samples up to byte 32044; "
            + "copy or convert it again");
    String error = refused(() -> AudioFiles.with(file, 0, AudioFile::info));
    assertTrue(error.contains("cut short at byte 20001"), error);
  }

  @ParameterizedTest
  @ValueSource(ints = {6, 12, 13, 20, 30, 36, 43})
  void wavCutInsideItsHeaderNamesTheByte(int length) throws IOException {
    Path file = folder.resolve("a.wav");
    WavWriter.writePcm16(file, WORD);
    cut(file, length);
    String error = refused(() -> AudioFiles.read(file));
    String message = error;
    assertTrue(
        message.startsWith(file + ": cut short at byte " + length)
            || message.startsWith(file + ": \"fmt \" chunk at byte 12 is too short"),
        message);
  }

  @Test
  void truncatedFlacNamesTheByte() throws IOException {
    byte[] all = Files.readAllBytes(Reference.DATA.resolve("word.flac"));
    Path file = write(Arrays.copyOf(all, 9000));
    String error = refused(() -> AudioFiles.read(file));
    assertTrue(
        error.matches(
            ".*a\\.wav: cut short at byte 9000: \\d+ samples of the 16000 that its header "
                + "promises; copy it again"),
        error);
    for (int length : new int[] {4, 20, 41, 42, 60}) {
      Files.write(file, Arrays.copyOf(all, length));
      String inHeader = refused(() -> AudioFiles.with(file, 0, AudioFile::info));
      assertTrue(inHeader.startsWith(file + ": cut short at byte " + length), inHeader);
    }
  }

  @Test
  void flacOfUnknownLengthIsReadAndMustEndWithAFrame() throws IOException {
    byte[] all = Files.readAllBytes(Reference.DATA.resolve("word.flac"));
    all[21] &= (byte) 0xf0;
    Arrays.fill(all, 22, 42, (byte) 0);
    assertArrayEquals(WORD.samples(), AudioFiles.read(write(all)).samples());
    assertEquals(0, AudioFiles.with(folder.resolve("a.wav"), 0, AudioFile::info).frames());
    assertFault(
        write(Arrays.copyOf(all, all.length - 5)),
        "cut short at byte " + (all.length - 5) + ", inside a frame; copy it again");
  }

  @Test
  void damagedFlacFrameIsNamed() throws IOException {
    byte[] all = Files.readAllBytes(Reference.DATA.resolve("word.flac"));
    all[9000] ^= 1;
    String error = refused(() -> AudioFiles.read(write(all)));
    assertTrue(error.matches(".*a\\.wav: damaged near byte \\d+ \\(.*\\); copy it again"), error);
  }

  @Test
  void flacWithAnotherSumIsRefused() throws IOException {
    byte[] all = Files.readAllBytes(Reference.DATA.resolve("word.flac"));
    all[30] ^= 1;
    assertFault(write(all), "its samples do not have the MD5 sum in its header; copy it again");
  }

  @Test
  void missingFileIsNamed() {
    assertFault(folder.resolve("a.wav"), "no such file; check the path and the corpus's list");
  }

  @Test
  void folderIsNoAudioFile() {
    assertFault(folder, "a folder, not an audio file; name a WAV or FLAC file");
  }

  @Test
  void emptyFileIsNamed() throws IOException {
    assertFault(write(new byte[0]), "empty (0 bytes); copy or convert it again");
  }

  @Test
  void fileWithoutSamplesIsNamed() throws IOException {
    Path file = write(wav(format(1, 1, 16000, 16), new byte[0]));
    assertFault(file, "a WAV header without samples; leave the file out");
  }

  @Test
  void stereoIsRefusedWithTheCommandThatMixesItDown() throws IOException {
    Path file = write(wav(format(1, 2, 16000, 16), new byte[8]));
    assertFault(
        file,
        "2 channels where one is expected; "
            + "convert it: ffmpeg -i a.wav -ac 1 -c:a pcm_s16le OUT.wav");
    assertEquals(2, AudioFiles.with(file, 0, AudioFile::info).frames());
    assertThrows(
        InputException.class, () -> AudioFiles.probe(file, 0, 16000, ReadSettings.DEFAULT));
    assertFault(
        Reference.DATA.resolve("stereo.flac"),
        "2 channels where one is expected; "
            + "convert it: ffmpeg -i stereo.flac -ac 1 -c:a pcm_s16le OUT.wav");
  }

  @Test
  void otherSampleRateIsRefusedWithTheCommandThatResamples() throws IOException {
    Path file = write(wav(format(1, 1, 8000, 16), new byte[8]));
    assertFault(
        file,
        "8000 Hz where 16000 Hz is expected; "
            + "convert it: ffmpeg -i a.wav -ar 16000 -c:a pcm_s16le OUT.wav; "
            + "or set data.resample=true (--resample)");
    assertEquals(4, AudioFiles.read(file, 8000, ReadSettings.DEFAULT).samples().length);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 4, 4-bit PCM",
    "1, 40, 40-bit PCM",
    "3, 16, 16-bit float",
    "6, 16, 16-bit A-law",
    "2, 4, Microsoft ADPCM",
    "17, 4, IMA ADPCM",
    "49, 0, GSM 6.10",
    "85, 0, MP3 in WAV",
    "4660, 16, WAV format 0x1234"
  })
  void unsupportedEncodingSaysWhatWasFound(int tag, int bits, String found) throws IOException {
    Path file = write(wav(format(tag, 1, 16000, bits), new byte[8]));
    assertFault(
        file,
        found
            + "; PCM of 8 to 32 bits, float, A-law and mu-law are read; "
            + AGAIN
            + " -c:a pcm_s16le OUT.wav");
  }

  @ParameterizedTest
  @CsvSource({
    "ID3xxxxxxxxx, it looks like MP3",
    "xxxxftypM4Ax, it looks like MP4/M4A",
    "OggSxxxxxxxx, it looks like Ogg",
    "NIST_1Axxxxx, it looks like NIST SPHERE",
    "RIFXxxxxWAVE, it is RIFX",
    "FORMxxxxAIFF, it is AIFF",
    "FORMxxxxAIFC, it is AIFF",
    "PK\u0003x, it starts with the bytes 50 4b 03 78",
    "RIFFxxxxAVI , it starts with the bytes 52 49 46 46 78 78 78 78 41 56 49"
  })
  void otherFilesAreGuessed(String start, String guess) throws IOException {
    Path file = write(start.getBytes(StandardCharsets.ISO_8859_1));
    if (start.startsWith("RIFFxxxxAVI")) {
      file = write("RIFFxxxxAVI ".getBytes(StandardCharsets.ISO_8859_1));
      guess += " 20";
    }
    assertFault(
        file, "not a WAV or FLAC file (" + guess + "); " + AGAIN + " -c:a pcm_s16le OUT.wav");
  }

  @Test
  void samplesBeforeTheirFormatAreRefused() throws IOException {
    assertFault(
        write(riff(chunk("data", new byte[8]), chunk("fmt ", format(1, 1, 16000, 16)))),
        "\"data\" before \"fmt \" at byte 12; " + AGAIN + " -c:a pcm_s16le OUT.wav");
  }

  @Test
  void halfASampleIsRefused() throws IOException {
    assertFault(
        write(wav(format(1, 1, 16000, 16), new byte[7])),
        "its samples end at byte 51 in the middle of a frame of 2 bytes; "
            + "copy or convert it again");
  }

  @Test
  void zeroChannelsOrRateAreRefused() throws IOException {
    assertFault(
        write(wav(format(1, 0, 16000, 16), new byte[8])),
        "damaged header: 0 channels, 16000 Hz; " + AGAIN + " -c:a pcm_s16le OUT.wav");
    assertFault(
        write(wav(format(1, 1, 0, 16), new byte[8])),
        "damaged header: 1 channels, 0 Hz; " + AGAIN + " -c:a pcm_s16le OUT.wav");
  }

  @Test
  void notANumberIsNamedWithItsByte() throws IOException {
    Path file = folder.resolve("a.wav");
    WavWriter.writeFloat32(file, new Waveform(new float[] {0, 0, Float.NaN}, 16000));
    assertFault(file, "sample 2 at byte 64 is NaN; " + AGAIN + " -c:a pcm_s16le OUT.wav");
    WavWriter.writeFloat32(file, new Waveform(new float[] {0, 40_000, -1e25f}, 16000));
    assertFault(file, "sample 2 at byte 64 is -1.0E25; " + AGAIN + " -c:a pcm_s16le OUT.wav");
  }

  private void assertFault(Path file, String fault) {
    assertRefused(file + ": " + fault, () -> AudioFiles.read(file));
  }

  private Path write(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("a.wav"), bytes);
  }

  private static void cut(Path file, int length) throws IOException {
    Files.write(file, Arrays.copyOf(Files.readAllBytes(file), length));
  }

  static byte[] wav(byte[] format, byte[] data) {
    return riff(chunk("fmt ", format), chunk("data", data));
  }

  static byte[] riff(byte[]... chunks) {
    int length = Arrays.stream(chunks).mapToInt(c -> c.length).sum();
    var out = ByteBuffer.allocate(12 + length).order(ByteOrder.LITTLE_ENDIAN);
    out.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(4 + length);
    out.put("WAVE".getBytes(StandardCharsets.US_ASCII));
    for (byte[] chunk : chunks) out.put(chunk);
    return out.array();
  }

  static byte[] chunk(String id, byte[] content) {
    var out = ByteBuffer.allocate(8 + content.length + content.length % 2);
    out.order(ByteOrder.LITTLE_ENDIAN);
    out.put(id.getBytes(StandardCharsets.US_ASCII)).putInt(content.length).put(content);
    return out.array();
  }

  static byte[] format(int tag, int channels, int sampleRate, int bits) {
    var out = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    out.putShort((short) tag).putShort((short) channels).putInt(sampleRate);
    out.putInt(sampleRate * channels * bits / 8);
    out.putShort((short) (channels * bits / 8)).putShort((short) bits);
    return out.array();
  }
}
