package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.refused;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.InputException;

class FlacFileTest {
  private static final ReadSettings READ = ReadSettings.DEFAULT;

  /** "fLaC", STREAMINFO, and three block headers. */
  private static final int TABLE_START = 4 + 38 + 3 * 4;

  @TempDir Path folder;

  /** Each stream is another draw of everything that a frame may be. */
  @ParameterizedTest
  @ValueSource(ints = {4, 5, 7, 8, 11, 12, 15, 16, 17, 20, 23, 24, 25, 31, 32})
  void everyKindOfFrameIsRead(int bits) throws Exception {
    for (int seed = 0; seed < 40; seed++) {
      var random = new SplittableRandom(seed);
      int[] blocks = random.ints(random.nextInt(1, 4), 16, 2000).toArray();
      if (seed % 4 == 0) blocks = new int[] {random.nextInt(2) == 0 ? 192 : 576, 256, 512};
      int[] samples = signal(random, bits, random.nextInt(1, 5000));
      var encoder = new FlacEncoder(random, bits);
      encoder.knowsLength = random.nextBoolean();
      encoder.hasSum = random.nextBoolean();
      assertReads(samples, bits, encoder.encode(samples, blocks), "seed " + seed);
    }
  }

  @ParameterizedTest
  @CsvSource({"16, 0", "4096, 4", "32768, 15", "65535, 0", "65535, 15", "4608, 9"})
  void blocksOfEverySizeAndMostParts(int block, int partsLog) throws Exception {
    var random = new SplittableRandom(block);
    int[] samples = signal(random, 16, 70000);
    var encoder = new FlacEncoder(random, 16);
    encoder.partsLog = partsLog;
    assertReads(samples, 16, encoder.encode(samples, block), block + ", " + partsLog);
  }

  @Test
  void metadataIsSteppedOver() throws Exception {
    var random = new SplittableRandom(1);
    int[] samples = signal(random, 16, 3000);
    var encoder = new FlacEncoder(random, 16);
    // padding, application, a seek table, comments, a cue sheet, a picture
    encoder.metadata =
        List.of(
            new byte[0],
            new byte[9],
            new byte[36],
            new byte[77],
            new byte[500],
            new byte[(1 << 24) - 1]);
    assertReads(samples, 16, encoder.encode(samples, 1152), "metadata");
  }

  /** A hundred parts at random are those of the whole. */
  private void assertParts(float[] expected) {
    var random = new SplittableRandom(5);
    for (int i = 0; i < 100; i++) {
      int from = random.nextInt(expected.length);
      int to = from + random.nextInt(Math.min(9000, expected.length - from));
      assertArrayEquals(Arrays.copyOfRange(expected, from, to), part(from, to), from + " " + to);
    }
  }

  @ParameterizedTest
  @CsvSource({"192, 192", "1152, 1152", "300, 1000"})
  void aPartIsReadFromTheSeekPointBeforeIt(int block, int otherBlock) throws Exception {
    int[] samples = signal(new SplittableRandom(4), 16, 150_000);
    byte[] all = seekable(samples, 3, block, otherBlock);
    float[] expected = AudioFiles.read(write(all)).samples();
    assertParts(expected);
    // Damage near the start, which is not read for a part far from it.
    all[all.length / 9] ^= 1;
    assertTrue(refused(() -> AudioFiles.read(write(all))).contains(": damaged near byte"));
    assertArrayEquals(Arrays.copyOfRange(expected, 75_000, 80_000), part(75_000, 80_000));
  }

  @ParameterizedTest
  @CsvSource({"192, 192", "1152, 1152", "300, 1000"})
  void withoutASeekTableAFrameBeforeAPartIsLookedFor(int block, int otherBlock) throws Exception {
    int[] samples = signal(new SplittableRandom(4), 16, 150_000);
    Arrays.fill(samples, 40_000, 90_000, 3); // takes few bytes, and guesses go wrong
    byte[] all = new FlacEncoder(new SplittableRandom(7), 16).encode(samples, block, otherBlock);
    float[] expected = AudioFiles.read(write(all)).samples();
    assertParts(expected);
    all[all.length / 9] ^= 1;
    assertTrue(refused(() -> AudioFiles.read(write(all))).contains(": damaged near byte"));
    assertArrayEquals(Arrays.copyOfRange(expected, 140_000, 145_000), part(140_000, 145_000));
  }

  @Test
  void aLengthThatIsLeftOpenIsFoundByDecoding() throws Exception {
    write(silence(true, 9600));
    assertArrayEquals(new float[] {0, 0}, part(10, 12));
  }

  @Test
  void aSeekTableOfAnotherStreamIsRefused() throws Exception {
    int[] samples = signal(new SplittableRandom(6), 16, 5000);
    byte[] all = seekable(samples, 1, 500, 500);
    ByteBuffer points = ByteBuffer.wrap(all, TABLE_START, 36).slice();
    points.putLong(0, 400);
    String remedy =
        "; make that again: metaflac --remove --block-type=SEEKTABLE, then metaflac"
            + " --add-seekpoint=1s";
    int start = TABLE_START + 12 * 18;
    write(all);
    assertEquals(
        file()
            + ": sample 0 is at byte "
            + start
            + ", where its seek table has sample 400"
            + remedy,
        refused(() -> part(450, 470)));
    points.putLong(8, 1 << 20);
    write(all);
    assertEquals(
        "%s: no byte %d in the file, where its seek table has sample 400%s"
            .formatted(file(), start + (1 << 20), remedy),
        refused(() -> part(450, 470)));
    points.putLong(8, 1);
    write(all);
    assertEquals(
        file() + ": damaged near byte " + (start + 1) + " (no frame starts here); copy it again",
        refused(() -> part(450, 470)));
  }

  /** A stream with a seek point for each of some frames, and room for two more. */
  private static byte[] seekable(int[] samples, int everyFrame, int... blocks) throws Exception {
    var first = new FlacEncoder(new SplittableRandom(7), 16);
    first.encode(samples, blocks);
    List<Long> frames = List.copyOf(first.frames.keySet());
    var table = ByteBuffer.allocate(((frames.size() - 1) / everyFrame + 3) * 18);
    for (int i = 0; i < frames.size(); i += everyFrame) {
      table.putLong(frames.get(i)).putLong(first.frames.get(frames.get(i))).putShort((short) 9);
    }
    while (table.hasRemaining()) table.putLong(-1).putLong(0).putShort((short) 0);
    var second = new FlacEncoder(new SplittableRandom(7), 16);
    second.metadata = List.of(new byte[0], new byte[0], table.array());
    return second.encode(samples, blocks);
  }

  private float[] part(long from, long to) {
    try (Samples samples = AudioFiles.open(file(), 0, 16000, READ)) {
      return samples.part(from, to);
    }
  }

  @Test
  void tagsBeforeTheStreamAreSteppedOver() throws Exception {
    var random = new SplittableRandom(2);
    int[] samples = signal(random, 16, 3000);
    var encoder = new FlacEncoder(random, 16);
    var tags = ByteBuffer.allocate(10 + 300 + 10 + 0 + 10);
    tags.put(new byte[] {'I', 'D', '3', 4, 0, 0, 0, 0, 2, 44}).position(310);
    tags.put(new byte[] {'I', 'D', '3', 4, 0, 0x10, 0, 0, 0, 0});
    encoder.before = tags.array();
    byte[] all = encoder.encode(samples, 1152);
    assertReads(samples, 16, all, "tags");
    all[all.length - 1] ^= 1;
    assertFault(all, "damaged near byte \\d+ \\(wrong checksum\\); copy it again");
    assertFault(Arrays.copyOf(all, 340), "cut short at byte 340, inside the header; copy it again");
    assertFault(
        Arrays.copyOf(all, 330), "not a WAV or FLAC file \\(it looks like MP3\\); convert it: .*");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 8000, 11025, 22050, 44100, 65535, 96000, 192000, 655350, 1048575})
  void everySampleRateIsTold(int rate) throws Exception {
    var random = new SplittableRandom(rate);
    var encoder = new FlacEncoder(random, 16);
    encoder.sampleRate = rate;
    Path file = write(encoder.encode(signal(random, 16, 900), 300));
    assertEquals(900, AudioFiles.read(file, rate, new ReadSettings(false, 1e6)).samples().length);
  }

  @Test
  void flacWithinOggIsRefusedByName() throws Exception {
    var bytes = new byte[99];
    System.arraycopy("OggS".getBytes(), 0, bytes, 0, 4);
    System.arraycopy("\177FLAC".getBytes(), 0, bytes, 28, 5);
    assertFault(bytes, "not a WAV or FLAC file \\(it is FLAC within Ogg\\); convert it: ffmpeg .*");
  }

  @Test
  void aLengthOverTheLimitIsRefusedBeforeItIsDecoded() throws Exception {
    byte[] all = silence(true, 960_000);
    assertFault(
        new ReadSettings(false, 0.5),
        all,
        "1.00 minutes or more, at most 0.50 are allowed; split it, or raise data.longestMinutes"
            + " \\(--longest\\)");
    // ten hours, which a damaged header may promise as well
    ByteBuffer.wrap(all).putInt(22, 36000 * 16000);
    assertFault(all, "600.00 minutes or more, at most 120.00 are allowed; .*");
    assertThrows(
        InputException.class,
        () -> AudioFiles.probe(folder.resolve("a.flac"), 0, 16000, ReadSettings.DEFAULT));
  }

  @Test
  void aLengthOverTheLimitShowsWhileItIsDecoded() throws Exception {
    byte[] all = silence(false, 960_000);
    assertFault(
        new ReadSettings(false, 0.5), all, "0.50 minutes or more, at most 0.50 are allowed; .*");
    assertReads(new int[960_000], 16, all, "1 minute, little more than nothing as bytes");
    assertTrue(all.length < 60_000, all.length + " bytes");
  }

  @Test
  void aTagBehindFramesOfAnOpenLengthIsNoFrame() throws Exception {
    byte[] all = silence(false, 9600);
    byte[] tagged = Arrays.copyOf(all, all.length + 128);
    System.arraycopy("TAGtitle".getBytes(), 0, tagged, all.length, 8);
    assertReads(new int[9600], 16, tagged, "an ID3v1 tag");
    System.arraycopy("TUGtitle".getBytes(), 0, tagged, all.length, 8);
    assertFault(tagged, "damaged near byte %d \\(.*\\); copy it again".formatted(all.length));
  }

  @Test
  void aLengthThatFramesExceedIsDamage() throws Exception {
    byte[] all = silence(true, 9600);
    ByteBuffer.wrap(all).putInt(22, 9599);
    assertFault(all, "damaged: more than the 9599 samples in its header; copy it again");
  }

  private static byte[] silence(boolean knowsLength, int length) throws Exception {
    RandomGenerator constant = new SplittableRandom(3);
    var encoder = new FlacEncoder(constant, 16);
    encoder.knowsLength = knowsLength;
    encoder.partsLog = 0;
    byte[] all = encoder.encode(new int[length], 48000);
    return all;
  }

  private static int[] signal(RandomGenerator random, int bits, int length) {
    int kind = random.nextInt(4);
    int zeros = random.nextInt(3) == 0 ? random.nextInt(bits) : 0;
    double top = Math.scalb(kind == 3 ? 1 : random.nextDouble(), bits - 1);
    var samples = new int[length];
    for (int i = 0; i < length; i++) {
      double x =
          switch (kind) {
            case 0 -> Math.sin(i * 0.05);
            case 1 -> random.nextGaussian() / 8;
            case 2 -> i / 700 % 2;
            default -> random.nextBoolean() ? 1 : -1;
          };
      double limit = Math.scalb(1, bits - 1);
      samples[i] = (int) Math.clamp(x * top, -limit, limit - 1) >> zeros << zeros;
    }
    return samples;
  }

  private void assertReads(int[] samples, int bits, byte[] bytes, String what) throws Exception {
    var expected = new float[samples.length];
    for (int i = 0; i < samples.length; i++) {
      expected[i] = (float) Math.scalb((double) samples[i], 1 - bits);
    }
    assertArrayEquals(expected, AudioFiles.read(write(bytes)).samples(), what);
  }

  private void assertFault(byte[] bytes, String fault) throws Exception {
    assertFault(ReadSettings.DEFAULT, bytes, fault);
  }

  private void assertFault(ReadSettings settings, byte[] bytes, String fault) throws Exception {
    Path file = write(bytes);
    String error = refused(() -> AudioFiles.read(file, 16000, settings));
    String message = error;
    assertTrue(message.startsWith(file + ": "), message);
    assertTrue(message.substring(file.toString().length() + 2).matches(fault), message);
  }

  private Path write(byte[] bytes) throws Exception {
    return Files.write(file(), bytes);
  }

  private Path file() {
    return folder.resolve("a.flac");
  }
}
