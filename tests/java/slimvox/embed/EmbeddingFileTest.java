package slimvox.embed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;
import slimvox.storage.InputException;
import slimvox.verify.Embeddings;

class EmbeddingFileTest {
  @TempDir Path folder;

  private static List<String> everything(Path file) {
    Embeddings read = EmbeddingFile.read(file);
    List<String> all = new ArrayList<>();
    for (String id : read.utterances()) all.add(id + Arrays.toString(read.get(id)));
    return all;
  }

  private Path sample() {
    Embeddings embeddings = new Embeddings(3);
    embeddings.add("id1-x-1", new float[] {1, -2, 0.5f});
    embeddings.add("id2-y-1", new float[] {0, 1e-30f, 7});
    Path file = folder.resolve("emb.safetensors");
    EmbeddingFile.write(file, embeddings, Map.of("model", "m.safetensors", "cmn", "true"));
    return file;
  }

  @Test
  void embeddingsOfPytorchAreRead() {
    assertEquals(
        List.of("a-1[0.0, 1.0, 2.0]", "a-2[3.0, 4.0, 5.0]"),
        everything(Path.of("tests/data/models/pt/embeddings.pt")));
  }

  @Test
  void damageIsNoticed() throws IOException {
    assertTrue(Fuzz.of(sample()).sealed(2000, EmbeddingFileTest::everything) > 1500);
  }

  /** A sign is flipped, and both entries with checksums are cut out of the header. */
  @Test
  void embeddingsOfOursWithoutChecksumsAreRefused() throws IOException {
    Path file = sample();
    Fuzz.withoutChecksums(file);
    assertEquals(
        file + ": header is damaged (checksum missing); use an earlier checkpoint",
        assertThrows(InputException.class, () -> EmbeddingFile.read(file)).getMessage());
  }
}
