package slimvox.verify;

import java.util.Arrays;
import java.util.List;
import slimvox.storage.InputException;

/**
 * Scores a trial by the cosine of its two embeddings.
 *
 * <p>{@code s(e, t) = (e - m) . (t - m) / (|e - m| |t - m|)}, with m zero or the mean embedding of
 * the training data. Subtracting it is what WeSpeaker does (the mean over VoxCeleb2 dev),
 * 3D-Speaker does not. Every embedding is centred and brought to length 1 once; a trial is then one
 * dot product in float64. WeSpeaker writes five decimals, which creates ties.
 */
public final class CosineScoring {
  private final double[] mean; // null: none is subtracted

  private CosineScoring(double[] mean) {
    this.mean = mean;
  }

  /** Cosine of the embeddings as they are. */
  public static CosineScoring plain() {
    return new CosineScoring(null);
  }

  /** Cosine after subtracting a mean from both sides, such as {@link Embeddings#mean()}. */
  public static CosineScoring subtracting(double[] mean) {
    return new CosineScoring(mean.clone());
  }

  /**
   * Scores every trial of a list.
   *
   * @throws InputException if an utterance has no embedding, naming the trial, or a zero one
   */
  public Scores score(Trials trials, Embeddings embeddings) {
    float[][] units = unitVectors(trials, embeddings);
    double[] values = new double[trials.size()];
    Arrays.parallelSetAll(
        values, i -> dot(units[trials.enrolNumber(i)], units[trials.testNumber(i)]));
    return new Scores(toString(), trials, values);
  }

  /** Unit vectors of a list's utterances, by their number in the list. */
  float[][] unitVectors(Trials trials, Embeddings embeddings) {
    return embeddings.unitVectors(names(trials, embeddings), mean);
  }

  /** Lengths of the embeddings of a list's utterances, after mean subtraction, by their number. */
  double[] lengths(Trials trials, Embeddings embeddings) {
    return names(trials, embeddings).stream()
        .mapToDouble(name -> embeddings.length(name, mean))
        .toArray();
  }

  private static List<String> names(Trials trials, Embeddings embeddings) {
    String[] names = new String[trials.utterances().size()];
    for (int i = 0; i < trials.size(); i++) {
      find(trials, i, trials.enrolNumber(i), embeddings, names);
      find(trials, i, trials.testNumber(i), embeddings, names);
    }
    trials.refuseContradictions(names);
    return List.of(names);
  }

  /** Unit vectors of all embeddings, in their order. */
  float[][] unitVectors(Embeddings embeddings) {
    return embeddings.unitVectors(embeddings.utterances(), mean);
  }

  private static void find(
      Trials trials, int trial, int number, Embeddings embeddings, String[] names) {
    if (names[number] != null) return;
    String place = trials.name() + ":" + (trial + 1);
    String utterance = trials.utterances().get(number);
    names[number] = embeddings.find(place, utterance);
    if (names[number] != null) return;
    throw InputException.of(
        "%s: utterance '%s' is not among the %d embedded ones; embed it, or take the trial out",
        place, utterance, embeddings.size());
  }

  /** Four sums side by side: floating-point addition may not be reordered by the compiler. */
  static double dot(float[] a, float[] b) {
    int n = a.length;
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int i = 0;
    for (; i < n - 3; i += 4) {
      s0 += (double) a[i] * b[i];
      s1 += (double) a[i + 1] * b[i + 1];
      s2 += (double) a[i + 2] * b[i + 2];
      s3 += (double) a[i + 3] * b[i + 3];
    }
    for (; i < n; i++) s0 += (double) a[i] * b[i];
    return s0 + s1 + (s2 + s3);
  }

  @Override
  public String toString() {
    return mean == null ? "cosine" : "cosine after mean subtraction";
  }
}
