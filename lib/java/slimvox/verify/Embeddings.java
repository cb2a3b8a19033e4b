package slimvox.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import slimvox.storage.InputException;
import slimvox.storage.UtteranceNames;

/**
 * Speaker embeddings by name of utterance (or of speaker), all of one dimension, in the order they
 * were added.
 */
public final class Embeddings {
  private final int dimension;
  private final List<String> utterances = new ArrayList<>();
  private final List<float[]> vectors = new ArrayList<>();
  private final Map<String, Integer> numbers = new HashMap<>();
  private UtteranceNames names; // made when first needed

  /** Empty, for vectors of this dimension. */
  public Embeddings(int dimension) {
    if (dimension < 1) throw InputException.of("embedding dimension %s; give 1 up", dimension);
    this.dimension = dimension;
  }

  /** Adds an embedding, not copied; refuses a second one, another dimension, NaN and infinity. */
  public void add(String utterance, float[] vector) {
    if (vector.length != dimension) {
      throw InputException.of(
          "embedding of '%s' has %d values, the others %d; embed all with one model",
          utterance, vector.length, dimension);
    }
    for (int i = 0; i < dimension; i++) {
      if (!Float.isFinite(vector[i])) {
        throw InputException.of(
            "embedding of '%s' has %s at index %d; check the utterance and the model's weights",
            utterance, vector[i], i);
      }
    }
    if (numbers.putIfAbsent(utterance, vectors.size()) != null) {
      throw InputException.of("utterance '%s' is embedded twice; names must be unique", utterance);
    }
    utterances.add(utterance);
    vectors.add(vector);
    names = null;
  }

  /** Number of values of each vector. */
  public int dimension() {
    return dimension;
  }

  /** Number of embeddings. */
  public int size() {
    return vectors.size();
  }

  /** The names, in the order they were added. */
  public List<String> utterances() {
    return Collections.unmodifiableList(utterances);
  }

  /** Whether this utterance has an embedding. */
  public boolean contains(String utterance) {
    return numbers.containsKey(utterance);
  }

  /**
   * The utterance that another file calls by this name; null where there is none.
   *
   * @param place where the name stands, for the message
   * @throws InputException if two can be meant
   */
  String find(String place, String name) {
    if (contains(name)) return name;
    if (names == null) names = new UtteranceNames(numbers.keySet());
    return names.find(place, name);
  }

  /** The embedding of an utterance: the array itself, not a copy; refused if it has none. */
  public float[] get(String utterance) {
    Integer number = numbers.get(utterance);
    if (number == null) {
      throw InputException.of(
          "utterance '%s' has no embedding (%d others have); embed it, or take it out",
          utterance, size());
    }
    return vectors.get(number);
  }

  /** The embedding added as number {@code i}: the array itself, not a copy. */
  public float[] get(int i) {
    return vectors.get(i);
  }

  /** The mean, which cosine scoring subtracts, of training data; refused if there are none. */
  public double[] mean() {
    if (vectors.isEmpty()) throw new InputException("mean of no embeddings; add some");
    double[] mean = new double[dimension];
    for (float[] vector : vectors) {
      for (int i = 0; i < dimension; i++) mean[i] += vector[i];
    }
    for (int i = 0; i < dimension; i++) mean[i] /= size();
    return mean;
  }

  /**
   * Mean embeddings by speaker, a cohort for {@link AdaptiveSNorm}.
   *
   * @param speakerOf the speaker of an utterance, null where it has none
   * @throws InputException naming the first utterance that has no speaker
   */
  public Embeddings speakerMeans(Function<String, String> speakerOf) {
    SpeakerMeans means = new SpeakerMeans();
    for (int i = 0; i < size(); i++) {
      String speaker = speakerOf.apply(utterances.get(i));
      if (speaker == null) {
        throw InputException.of(
            "utterance '%s' has no speaker; add it to utt2spk", utterances.get(i));
      }
      means.add(speaker, vectors.get(i));
    }
    return means.embeddings();
  }

  static float[] floats(double[] values, double scale) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) floats[i] = (float) (values[i] * scale);
    return floats;
  }

  @Override
  public String toString() {
    return size() + " embeddings of dimension " + dimension;
  }

  /** The vectors, minus a mean if one is given, at length 1; one row each. */
  float[][] unitVectors(List<String> names, double[] mean) {
    if (mean != null && mean.length != dimension) {
      throw InputException.of(
          "the mean to subtract has %d values, the embeddings %d; use one model for both",
          mean.length, dimension);
    }
    float[][] units = new float[names.size()][];
    Arrays.setAll(units, i -> unit(names.get(i), mean));
    return units;
  }

  private float[] unit(String name, double[] mean) {
    double[] centred = centred(name, mean);
    double length = length(centred);
    if (length == 0) {
      throw InputException.of(
          "embedding of '%s' is zero%s: it has no direction; check the utterance",
          name, mean == null ? "" : " after subtracting the mean");
    }
    return floats(centred, 1 / length);
  }

  /** Euclidean length of an embedding, minus a mean if one is given. */
  double length(String name, double[] mean) {
    return length(centred(name, mean));
  }

  private double[] centred(String name, double[] mean) {
    float[] vector = get(name);
    double[] centred = new double[dimension];
    for (int i = 0; i < dimension; i++) centred[i] = mean == null ? vector[i] : vector[i] - mean[i];
    return centred;
  }

  private static double length(double[] vector) {
    double squares = 0;
    for (double value : vector) squares += value * value;
    return Math.sqrt(squares);
  }
}
