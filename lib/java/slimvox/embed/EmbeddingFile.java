package slimvox.embed;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.storage.ScratchFile;
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

  /** Writes a file: vectors go to its disk as they come, and only their names stay in memory. */
  public static final class Writer implements AutoCloseable {
    private final Path path;
    private final int dimension;
    private final List<String> ids = new ArrayList<>();
    private final ScratchFile vectors;

    /**
     * Begins a file, which is not touched before {@link #write}.
     *
     * @throws InputException if its folder cannot be written to
     */
    public Writer(Path path, int dimension) {
      this.path = path;
      this.dimension = dimension;
      vectors = new ScratchFile(path);
    }

    /**
     * Adds embeddings of the file's dimension, of utterances that it has not yet.
     *
     * @throws IllegalArgumentException if they have another dimension
     * @throws InputException if the disk is full
     */
    public void add(Embeddings some) {
      if (some.dimension() != dimension) {
        throw new IllegalArgumentException(
            "%s holds embeddings of dimension %d, not %d"
                .formatted(path, dimension, some.dimension()));
      }
      for (int i = 0; i < some.size(); i++) {
        ids.add(some.utterances().get(i));
        vectors.add(some.get(i));
      }
    }

    /** Number of embeddings. */
    public int size() {
      return ids.size();
    }

    /** Writes all of them in one atomic step. */
    public void write(Map<String, String> metadata) {
      SafetensorsWriter writer = Safetensors.writer();
      metadata.forEach(writer::metadata);
      long[] shape = {dimension};
      long bytes = (long) dimension * Float.BYTES;
      MemorySegment all = vectors.all();
      for (int i = 0; i < ids.size(); i++) {
        writer.put(ids.get(i), "F32", shape, all.asSlice(i * bytes, bytes));
      }
      writer.write(path);
    }

    @Override
    public void close() {
      vectors.close();
    }
  }
}
