package slimvox.embed;

import java.nio.file.Path;
import java.util.Map;
import slimvox.verify.Embeddings;

/** Writes the file of its first argument with so many embeddings, and tells each: for its test. */
final class EmbeddingWriterProgram {
  static final int DIMENSION = 4096;

  private EmbeddingWriterProgram() {}

  public static void main(String[] args) {
    try (EmbeddingFile.Writer writer = new EmbeddingFile.Writer(Path.of(args[0]), DIMENSION)) {
      for (int i = 0; i < Integer.parseInt(args[1]); i++) {
        Embeddings one = new Embeddings(DIMENSION);
        float[] vector = new float[DIMENSION];
        vector[i % DIMENSION] = i + 0.5f;
        one.add("u" + i, vector);
        writer.add(one);
        System.out.print('+');
        System.out.flush();
      }
      writer.write(Map.of());
    }
  }
}
