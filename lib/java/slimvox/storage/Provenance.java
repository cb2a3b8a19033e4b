package slimvox.storage;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where a file comes from, as texts in its metadata: the hash of the recipe, that of the training
 * corpus, the seed and the version of the code that trained.
 */
public final class Provenance {
  /** The first digits of the recipe's SHA-256. */
  public static final String RECIPE = "recipe_hash";

  /** SHA-256 of the training corpus: its utterances and speakers. */
  public static final String DATA = "corpus_sha256";

  /** Where the random numbers started from. */
  public static final String SEED = "seed";

  /** The version of the code. */
  public static final String CODE = "code";

  /** What every file has. */
  public static final List<String> KEYS = List.of(RECIPE, DATA, SEED, CODE);

  /** The recipes before, if a run went on with another: {@code HASH@STEP}, where each ended. */
  public static final String EARLIER = "earlier";

  /** SHA-256 of the corpus that was embedded, of embeddings and their scores. */
  public static final String EMBEDDED = "embedded_corpus_sha256";

  private Provenance() {}

  /** Those of a file's metadata, under their own names or {@code origin.} and so on. */
  public static Map<String, String> of(Map<String, String> metadata) {
    Map<String, String> found = new LinkedHashMap<>();
    for (String key : List.of(RECIPE, EARLIER, DATA, SEED, CODE, EMBEDDED)) {
      String value = metadata.getOrDefault(key, metadata.get("origin." + key));
      if (value != null) found.put(key, value);
    }
    return found;
  }

  /** The version of the jar; {@code development} when run from class files. */
  public static String version() {
    String version = Provenance.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /** The program and its version, as files name them. */
  public static String code() {
    return "slimvox " + version();
  }
}
