package slimvox.data;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.BiConsumer;
import slimvox.audio.Channel;
import slimvox.audio.Features;
import slimvox.audio.MeanNormalization;

/**
 * Features of whole utterances for evaluation, at speed 1.
 *
 * <p>A joined utterance is its parts' frames one after the other; the mean is then taken over all
 * of them. An id with {@link Corpus#CHANNEL} after it is the same recording behind the channel that
 * follows from the id as the corpus has it ({@link Channel#of}); a joined utterance has one.
 *
 * @param corpus of the utterances and joined utterances
 * @param source of their features
 * @param meanNormalization whether each bin's mean over the utterance is subtracted
 */
public record WholeUtterances(Corpus corpus, FeatureSource source, boolean meanNormalization) {
  /**
   * Features of one utterance, in an array of their own: frames x bins.
   *
   * @param id of an utterance or a joined utterance
   * @throws slimvox.storage.InputException if the corpus has none of this id, or its recording
   *     cannot be used
   */
  public Features features(String id) {
    Features features =
        Corpus.isBehindChannel(id)
            ? source.behind(Channel.of(corpus.own(id)), corpus.parts(id))
            : joined(corpus.parts(id));
    return meanNormalization ? MeanNormalization.apply(features) : features;
  }

  private Features joined(List<Utterance> utterances) {
    List<FeatureView> parts = utterances.stream().map(part -> source.features(part, 0)).toList();
    long frames = parts.stream().mapToLong(FeatureView::frames).sum();
    int bins = source.bins();
    float[] values = new float[Features.length(frames, bins)];
    int at = 0;
    for (FeatureView part : parts) {
      part.copy(0, part.frames(), values, at);
      at += part.frames() * bins;
    }
    return new Features(values, (int) frames, bins);
  }

  /**
   * Visits each id once, from several threads and in no order; see {@link FeatureWork#forEach}.
   *
   * @param progress told after each, and closed
   * @throws slimvox.storage.InputException of the first that cannot be used
   * @throws InterruptedException if interrupted; all threads are stopped
   */
  public void forEach(
      Collection<String> ids,
      int threads,
      FeatureSource.Progress progress,
      BiConsumer<String, Features> visitor)
      throws InterruptedException {
    FeatureWork.forEach(
        List.copyOf(new LinkedHashSet<>(ids)),
        _ -> 1,
        threads,
        progress,
        id -> visitor.accept(id, features(id)));
  }

  /** Visits each id once, in the order of first appearance. */
  public void forEach(Collection<String> ids, BiConsumer<String, Features> visitor) {
    for (String id : new LinkedHashSet<>(ids)) visitor.accept(id, features(id));
  }
}
