package slimvox.data;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import slimvox.audio.Features;
import slimvox.audio.MeanNormalization;
import slimvox.storage.InputException;

/**
 * Makes training batches: batch number i of epoch e depends on the corpus, the settings, e and i
 * alone.
 *
 * <p>So any thread may make any batch, in any order, and a run that starts at (e, i) goes on as one
 * that came there by itself. For each crop: a recording, a speed at random (each speed is a class
 * of its own: label + speed index x speakers, WeSpeaker's order), more recordings of the speaker if
 * they are to be joined, a random crop (or the recording again and again where it is shorter), mean
 * normalization over the crop, masks.
 *
 * <p>Recordings are joined as features, not as sound: then the features of each recording are
 * computed once and cached, it works for features without sound too, and no frame spans the jump
 * where two recordings meet (sound would give two more frames a joint).
 *
 * <p>An object is for any number of threads.
 */
public final class Batches {
  // One stream of random numbers for each purpose, so that they never meet.
  private static final long ORDER = 1;
  private static final long CROP = 2;

  private final Corpus corpus;
  private final FeatureSource source;
  private final BatchSettings settings;
  private final int batchesPerEpoch;
  private final int utterances;
  private volatile Permutation[] recent = new Permutation[0];

  private record Permutation(long turn, int[] order) {}

  /**
   * Batches of a corpus.
   *
   * @throws InputException if the corpus has fewer than two speakers
   */
  public Batches(Corpus corpus, FeatureSource source, BatchSettings settings) {
    corpus.requireSpeakers();
    this.corpus = corpus;
    this.source = source;
    this.settings = settings;
    this.utterances = corpus.utterances().size();
    this.batchesPerEpoch = Math.max(1, Math.round((float) utterances / settings.size()));
  }

  /** Number of batches in an epoch: as many as make about one crop of each recording. */
  public int batchesPerEpoch() {
    return batchesPerEpoch;
  }

  /** Number of classes: speakers x speeds. */
  public int classes() {
    return corpus.speakers().size() * source.speeds().size();
  }

  /** The settings. */
  public BatchSettings settings() {
    return settings;
  }

  /** Values in a frame. */
  public int bins() {
    return source.bins();
  }

  /** An empty batch, to be filled. */
  Buffers buffers() {
    int n = settings.size();
    int values = Math.multiplyExact(Math.multiplyExact(n, settings.frames()), source.bins());
    return new Buffers(
        new float[values], new int[n], new String[n], new float[settings.frames() * source.bins()]);
  }

  /** What a batch is made in. */
  record Buffers(float[] features, int[] labels, String[] utterances, float[] rows) {}

  /**
   * Makes a batch in arrays of its own.
   *
   * @param epoch from 0
   * @param index 0 to {@link #batchesPerEpoch()} - 1
   * @throws InputException if a recording cannot be used; the message names its file
   */
  public Batch batch(int epoch, int index) {
    return fill(epoch, index, buffers());
  }

  /** Checks that an epoch, from 0, has a batch of this index. */
  void requirePlace(int epoch, int index) {
    if (epoch >= 0 && index >= 0 && index < batchesPerEpoch) return;
    throw new IllegalArgumentException(
        "batch %d of epoch %d, an epoch has %d".formatted(index, epoch, batchesPerEpoch));
  }

  Batch fill(int epoch, int index, Buffers buffers) {
    requirePlace(epoch, index);
    int n = settings.size();
    int frames = settings.frames();
    int bins = source.bins();
    long first = ((long) epoch * batchesPerEpoch + index) * n;
    for (int i = 0; i < n; i++) {
      SplittableRandom random =
          new SplittableRandom(mix(mix(mix(settings.seed(), CROP), epoch), (long) index * n + i));
      long place = first + i; // in an endless sequence of permutations
      int item = permutation(place / utterances)[(int) (place % utterances)];
      Utterance utterance = corpus.utterances().get(item);
      int speed = random.nextInt(source.speeds().size());
      int label = corpus.label(utterance.speaker());
      crop(views(utterance, speed, random), buffers.rows(), random);
      Features crop = new Features(buffers.rows(), frames, bins);
      if (settings.meanNormalization()) MeanNormalization.apply(crop);
      settings.masks().apply(crop, random);
      Batch.transpose(buffers.rows(), frames, bins, buffers.features(), i * bins * frames);
      buffers.labels()[i] = label + speed * corpus.speakers().size();
      buffers.utterances()[i] = utterance.id();
    }
    return new Batch(
        epoch, index, n, bins, frames, buffers.features(), buffers.labels(), buffers.utterances());
  }

  /** Features of a recording and of the others that are joined to it, at random and not twice. */
  private List<FeatureView> views(Utterance utterance, int speed, SplittableRandom random) {
    int count = settings.joinUtterances();
    if (count == 1) return List.of(source.features(utterance, speed));
    List<Utterance> all = corpus.utterances(utterance.speaker());
    List<Utterance> chosen = new ArrayList<>(count);
    chosen.add(utterance);
    while (chosen.size() < count) {
      Utterance next = all.get(random.nextInt(all.size()));
      // A speaker with fewer recordings than are joined is heard again.
      if (chosen.size() < all.size() && chosen.contains(next)) continue;
      chosen.add(next);
    }
    return chosen.stream().map(u -> source.features(u, speed)).toList();
  }

  /** Fills rows from a random place of the joined views, or with all of them again and again. */
  private void crop(List<FeatureView> views, float[] rows, SplittableRandom random) {
    int bins = source.bins();
    int frames = settings.frames();
    int total = 0;
    for (FeatureView view : views) total += view.frames();
    int skip = total > frames ? random.nextInt(total - frames + 1) : 0;
    int filled = 0;
    for (FeatureView view : views) {
      int from = Math.min(skip, view.frames());
      int count = Math.min(view.frames() - from, frames - filled);
      if (count > 0) view.copy(from, count, rows, filled * bins);
      skip -= from;
      filled += count;
    }
    for (int period = filled; filled < frames; ) {
      int count = Math.min(period, frames - filled);
      System.arraycopy(rows, 0, rows, filled * bins, count * bins);
      filled += count;
    }
  }

  private int[] permutation(long turn) {
    Permutation[] known = recent;
    for (Permutation permutation : known) {
      if (permutation.turn() == turn) return permutation.order();
    }
    int[] order = new int[utterances];
    for (int i = 0; i < utterances; i++) order[i] = i;
    SplittableRandom random = new SplittableRandom(mix(mix(settings.seed(), ORDER), turn));
    for (int i = utterances - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    // A batch may reach into the next permutation, and threads are a few batches apart: keep two.
    Permutation made = new Permutation(turn, order);
    recent = known.length == 0 ? new Permutation[] {made} : new Permutation[] {made, known[0]};
    return order;
  }

  /** Mixes a number into a seed: the finalizer of SplitMix64. */
  private static long mix(long seed, long value) {
    long z = seed * 0x9e3779b97f4a7c15L + value + 0x632be59bd9b4e019L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
