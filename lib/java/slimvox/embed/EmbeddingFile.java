package slimvox.embed;

import java.nio.file.Path;
import java.util.Map;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.verify.Embeddings;

/** Embeddings as a safetensors file: a tensor of one dimension for each utterance. */
public final class EmbeddingFile {
  private EmbeddingFile() {}

  /**
   * Reads embeddings.
   *
   * @throws InputException if a tensor is not a vector, or differs in length from the first
   */
  public static Embeddings read(Path path) {
    Safetensors file = Safetensors.read(path);
    if (file.metadata().containsKey("cmn")) file.requireChecksums(); // made by 'slimvox embed'
    Embeddings embeddings = null;
    for (String id : file.names()) {
      long[] shape = file.shape(id);
      if (shape.length != 1 || shape[0] < 1) {
        throw InputException.at(
            path,
            "tensor %s has %d dimensions, an embedding has one; make the file with 'slimvox embed'",
            id,
            shape.length);
      }
      if (embeddings == null) embeddings = new Embeddings((int) shape[0]);
      try {
        embeddings.add(id, file.floats(id));
      } catch (InputException e) {
        if (e.getMessage().startsWith(path.toString())) throw e;
        throw new InputException(path + ": " + e.getMessage(), e);
      }
    }
    if (embeddings == null) {
      throw new InputException(path + ": holds no embedding; make it with 'slimvox embed'");
    }
    return embeddings;
  }

  /** Writes embeddings in one atomic step. */
  public static void write(Path path, Embeddings embeddings, Map<String, String> metadata) {
    SafetensorsWriter writer = Safetensors.writer();
    metadata.forEach(writer::metadata);
    long[] shape = {embeddings.dimension()};
    for (int i = 0; i < embeddings.size(); i++) {
      writer.put(embeddings.utterances().get(i), shape, embeddings.get(i));
    }
    writer.write(path);
  }
}
