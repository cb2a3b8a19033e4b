package slimvox.embed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;
import slimvox.cli.CommandLineTest;
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
    return sample(() -> {});
  }

  private Path sample(Runnable beforeWriting) {
    Embeddings embeddings = new Embeddings(3);
    embeddings.add("id1-x-1", new float[] {1, -2, 0.5f});
    embeddings.add("id2-y-1", new float[] {0, 1e-30f, 7});
    Path file = folder.resolve("emb.safetensors");
    try (EmbeddingFile.Writer writer = new EmbeddingFile.Writer(file, 3)) {
      writer.add(embeddings);
      beforeWriting.run();
      writer.write(Map.of("model", "m.safetensors", "cmn", "true"));
    }
    return file;
  }

  private static Process writing(Path file, int embeddings) throws IOException {
    List<String> command = new ArrayList<>(CommandLineTest.slimvoxProcess());
    command.removeLast();
    command.addAll(List.of("-Xmx24m", "-XX:+UseSerialGC", EmbeddingWriterProgram.class.getName()));
    command.addAll(List.of(file.toString(), Integer.toString(embeddings)));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private List<String> files() {
    return List.of(folder.toFile().list());
  }

  /** 64 MiB of vectors through a heap of 24. */
  @Test
  void vectorsDoNotStayInMemory() throws Exception {
    Path file = folder.resolve("many.safetensors");
    Process process = writing(file, 4000);
    assertEquals(4000, process.getInputStream().readAllBytes().length);
    assertEquals(0, process.waitFor());
    assertEquals(List.of("many.safetensors"), files());
    Embeddings read = EmbeddingFile.read(file);
    assertEquals(4000, read.size());
    for (int i = 0; i < 4000; i++) {
      float[] vector = new float[EmbeddingWriterProgram.DIMENSION];
      vector[i] = i + 0.5f;
      assertArrayEquals(vector, read.get("u" + i));
    }
  }

  @Test
  void killedWriterLeavesTheEarlierFileAndNothingElse() throws Exception {
    Path file = Files.writeString(folder.resolve("e.safetensors"), "earlier");
    Process process = writing(file, 1_000_000);
    try {
      assertEquals("+++", new String(process.getInputStream().readNBytes(3)));
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertEquals("earlier", Files.readString(file));
    assertEquals(List.of("e.safetensors"), files());
  }

  /** Ctrl-C after the last utterance. */
  @Test
  void interruptBeforeWritingLosesNothing() {
    List<String> expected = everything(sample());
    Path file = sample(() -> Thread.currentThread().interrupt());
    assertTrue(Thread.interrupted());
    assertEquals(expected, everything(file));
  }

  @Test
  void embeddingsOfAnotherDimensionAreRefused() {
    Path file = folder.resolve("e.safetensors");
    try (EmbeddingFile.Writer writer = new EmbeddingFile.Writer(file, 3)) {
      var e = assertThrows(IllegalArgumentException.class, () -> writer.add(new Embeddings(4)));
      assertEquals(file + " holds embeddings of dimension 3, not 4", e.getMessage());
    }
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
