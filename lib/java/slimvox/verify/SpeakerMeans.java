package slimvox.verify;

import java.util.LinkedHashMap;
import java.util.Map;

/** Mean embeddings of speakers from embeddings that come one by one and are not kept. */
public final class SpeakerMeans {
  /** What has been added up. */
  private static final class Sum {
    private final double[] values;
    private int count;

    private Sum(int dimension) {
      values = new double[dimension];
    }
  }

  private final Map<String, Sum> sums = new LinkedHashMap<>();

  /** Adds an embedding of a speaker; all are of one dimension. */
  public void add(String speaker, float[] vector) {
    Sum sum = sums.computeIfAbsent(speaker, _ -> new Sum(vector.length));
    for (int i = 0; i < vector.length; i++) sum.values[i] += vector[i];
    sum.count++;
  }

  /**
   * The mean of each speaker so far, by name, in the order in which they first came; one or more.
   */
  public Embeddings embeddings() {
    Embeddings means = new Embeddings(sums.values().iterator().next().values.length);
    sums.forEach(
        (speaker, sum) -> {
          double[] mean = sum.values.clone();
          for (int i = 0; i < mean.length; i++) mean[i] /= sum.count;
          means.add(speaker, Embeddings.floats(mean, 1));
        });
    return means;
  }
}
