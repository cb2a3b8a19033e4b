package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.SpecAugment;
import slimvox.storage.InputException;

class KaldiArkTest {
  private static final Path ANSWERS = Path.of("tests/data/data");

  @TempDir Path folder;

  private String message(byte[] content, long offset) throws Exception {
    Path file = Files.write(folder.resolve("x.ark"), content);
    Utterance.Ark place = new Utterance.Ark(file, offset);
    String message = refused(() -> KaldiArk.read(place));
    return message.replace(file.toString(), "x.ark");
  }

  @Test
  void everyKindReadsAsKaldiioReadsIt() throws Exception {
    JsonNode expected = new ObjectMapper().readTree(ANSWERS.resolve("features.json").toFile());
    List<String> lines = Files.readAllLines(ANSWERS.resolve("features.scp"));
    assertEquals(5, lines.size());
    for (String line : lines) {
      String kind = line.split(" ")[0];
      long offset = Long.parseLong(line.substring(line.indexOf(':') + 1));
      Utterance.Ark place = new Utterance.Ark(ANSWERS.resolve("features.ark"), offset);
      Features features = KaldiArk.read(place);
      JsonNode rows = expected.get(kind);
      assertEquals(rows.size(), features.frames(), kind);
      assertEquals(7, features.bins(), kind);
      KaldiArk.Matrix head = KaldiArk.head(place);
      assertEquals(rows.size(), head.rows());
      assertEquals(7, head.columns());
      for (int t = 0; t < features.frames(); t++) {
        for (int b = 0; b < 7; b++) {
          assertEquals(rows.get(t).get(b).floatValue(), features.get(t, b), 2e-6f, kind);
        }
      }
    }
  }

  @Test
  void corpusOfFeaturesAloneGivesBatches() throws Exception {
    // The compressed matrices are features as good as any: two speakers, 7 bins.
    Path ark = ANSWERS.resolve("features.ark").toAbsolutePath();
    Files.writeString(
        folder.resolve("feats.scp"), "a " + ark + ":6\nb " + ark + ":364\nc " + ark + ":1540\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb y\nc y\n");
    Corpus corpus = Corpus.open(folder);
    // There is no sound, so it does not matter that so many mel filters are impossible.
    FbankOptions options = FbankOptions.wespeaker().withBins(4096);
    FeatureReader reader = FeatureReader.of(corpus, options, List.of(1.0));
    assertEquals(7, reader.bins());
    Batch batch =
        new Batches(corpus, reader, SyntheticCorpus.settings(4, 20, 1, true, SpecAugment.NONE, 1))
            .batch(0, 0);
    assertEquals(4 * 7 * 20, batch.features().length);
    assertRefused(
        folder
            + ": has features, no sound, and they cannot be played at speeds [1.0, 0.9]; use speed"
            + " 1.0 only",
        () -> FeatureReader.of(corpus, FbankOptions.wespeaker(), List.of(1.0, 0.9)));
  }

  @Test
  void meansAreTakenOfReadyFeaturesEvery10Ms() throws Exception {
    Path ark = ANSWERS.resolve("features.ark").toAbsolutePath();
    Files.write(folder.resolve("x.ark"), matrix("FM ", 2, 7, new byte[56]));
    Files.writeString(folder.resolve("feats.scp"), "a " + ark + ":6\nb x.ark\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb y\n");
    Corpus corpus = Corpus.open(folder);
    FbankOptions options = FbankOptions.wespeaker().averaging(3);
    FeatureReader reader = FeatureReader.of(corpus, options, List.of(1.0));
    Features each = KaldiArk.read(new Utterance.Ark(ark, 6));
    FeatureView means = reader.features(corpus.utterance("a"), 0);
    assertEquals(each.frames() / 3, means.frames());
    assertEquals(4L * 7 * means.frames(), reader.bytes(List.of(corpus.utterance("a"))));
    float[] values = SyntheticCorpus.values(means);
    float sum = each.get(3, 2) + each.get(4, 2) + each.get(5, 2);
    assertEquals(sum / 3, values[7 + 2], 1e-6f);
    assertRefused(
        folder.resolve("x.ark")
            + ", byte 0: utterance b has 2 frames, and means are taken of 3; leave the utterance"
            + " out",
        () -> reader.features(corpus.utterance("b"), 0));
    Files.writeString(folder.resolve("frame_shift"), "0.02\n");
    assertRefused(
        folder
            + ": has features every 20.0 ms, and means are taken of those every 10 ms; set"
            + " data.frameShiftMs=10, which takes them as they are",
        () -> FeatureReader.of(corpus, options, List.of(1.0)));
  }

  @Test
  void otherNumberOfValuesAFrameIsNamed() throws Exception {
    byte[] ark = concat(matrix("FM ", 2, 7, new byte[56]), matrix("FM ", 2, 3, new byte[24]));
    Files.write(folder.resolve("x.ark"), ark);
    Files.writeString(folder.resolve("feats.scp"), "a x.ark\nb x.ark:71\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb y\n");
    Corpus corpus = Corpus.open(folder);
    FeatureReader reader = FeatureReader.of(corpus, FbankOptions.wespeaker(), List.of(1.0));
    assertRefused(
        folder.resolve("x.ark")
            + ", byte 71: utterance b has 3 values a frame, the first utterance"
            + " has 7",
        () -> reader.features(corpus.utterance("b"), 0));
  }

  @Test
  void truncatedMatrixNamesTheBytes() throws Exception {
    byte[] whole = matrix("FM ", 2, 7, new byte[56]);
    for (int length = 0; length < whole.length; length++) {
      String message = message(Arrays.copyOf(whole, length), 0);
      assertTrue(message.startsWith("x.ark, byte 0: "), message);
      if (length > 5) {
        assertEquals(
            "x.ark, byte 0: the matrix is cut short, the file ends at byte "
                + length
                + "; copy or make it again",
            message);
      }
    }
  }

  @Test
  void offsetBeyondTheEndIsNamed() throws Exception {
    assertEquals(
        "x.ark, byte 99: the file ends at byte 71; write the scp file again",
        message(matrix("FM ", 2, 7, new byte[56]), 99));
  }

  @Test
  void textArkAndVectorsAreRefusedWithTheRemedy() throws Exception {
    String text = message("a  [\n 1 2 3\n 4 5 6 ]\n".getBytes(StandardCharsets.US_ASCII), 0);
    assertTrue(text.startsWith("x.ark, byte 0: no binary Kaldi matrix; text arks are not"), text);
    assertEquals(
        "x.ark, byte 0: a matrix of features is needed, this is kind FV",
        message(matrix("FV ", 2, 7, new byte[56]), 0));
    assertEquals(
        "x.ark, byte 0: 0 rows of 7 values; leave the utterance out",
        message(matrix("FM ", 0, 7, new byte[56]), 0));
    assertEquals(
        "x.ark, byte 0: the matrix is cut short, the file ends at byte 71; copy or make it again",
        message(matrix("DM ", Integer.MAX_VALUE, Integer.MAX_VALUE, new byte[56]), 0));
  }

  @Test
  void anyChangedByteGivesFeaturesOrOneLine() throws Exception {
    byte[] whole = Files.readAllBytes(ANSWERS.resolve("features.ark"));
    Random random = new Random(1);
    for (int round = 0; round < 300; round++) {
      byte[] changed = whole.clone();
      changed[6 + random.nextInt(20)] = (byte) random.nextInt();
      Path file = Files.write(folder.resolve("x.ark"), changed);
      try {
        Features features = KaldiArk.read(new Utterance.Ark(file, 6));
        assertTrue(features.frames() > 0 && features.bins() > 0);
      } catch (InputException e) {
        assertTrue(e.getMessage().startsWith(file + ", byte 6: "), e.getMessage());
        assertEquals(-1, e.getMessage().indexOf('\n'), e.getMessage());
      }
    }
  }

  private static byte[] matrix(String kind, int rows, int columns, byte[] data) {
    ByteBuffer bytes =
        ByteBuffer.allocate(15 + data.length).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    bytes.put((byte) 0).put((byte) 'B').put(kind.getBytes(StandardCharsets.US_ASCII));
    bytes.put((byte) 4).putInt(rows).put((byte) 4).putInt(columns).put(data);
    return bytes.array();
  }

  private static byte[] concat(byte[] a, byte[] b) {
    byte[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }
}
