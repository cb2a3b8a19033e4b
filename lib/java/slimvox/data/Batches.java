package slimvox.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import slimvox.audio.Channel;
import slimvox.audio.Features;
import slimvox.audio.MeanNormalization;
import slimvox.audio.Samples;
import slimvox.storage.InputException;

/**
 * Makes training batches: batch number i of epoch e depends on the corpus, the settings, e and i
 * alone.
 *
 * <p>So any thread may make any batch, in any order, and a run that starts at (e, i) goes on as one
 * that came there by itself. For each crop: a recording, a speed at random (each speed is a class
 * of its own: label + speed index x speakers, WeSpeaker's order), more recordings of the speaker if
 * they are to be joined, a random crop (or the recording again and again where it is shorter), mean
 * normalization over the crop, masks. Recordings come in permutations: of all of them, or, balanced
 * over classes, of the speakers, each with the next one of its own.
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
  private static final long CHANNEL = 3;
  private static final long OF_SPEAKER = 4;
  private static final long SURROUNDINGS = 5;
  private static final long DITHER = 6;

  private final Corpus corpus;
  private final FeatureSource source;
  private final SoundSource sounds; // null: features are not computed anew
  private final BatchSettings settings;
  private final int batchesPerEpoch;
  private List<FeatureAugmentation> augmentations = List.of();
  private final int utterances;
  private final List<int[]> byFile;
  private volatile Permutation[] recent = new Permutation[0];

  private record Permutation(long turn, int[] order) {}

  /**
   * Batches of a corpus.
   *
   * @throws InputException if the corpus has fewer than two speakers
   */
  public Batches(Corpus corpus, FeatureSource source, BatchSettings settings) {
    this(corpus, source, null, settings);
  }

  /**
   * Batches of a corpus whose features are computed anew for each crop, with the noises, rooms and
   * channels of the settings.
   *
   * @throws InputException if the corpus has fewer than two speakers
   */
  public Batches(Corpus corpus, SoundSource sounds, BatchSettings settings) {
    this(corpus, sounds.reader(), sounds, settings);
  }

  private Batches(Corpus corpus, FeatureSource source, SoundSource sounds, BatchSettings settings) {
    if (sounds == null && settings.isChanged()) {
      throw new IllegalArgumentException("noise, rooms and channels need sound");
    }
    corpus.requireSpeakers();
    this.corpus = corpus;
    this.source = source;
    this.sounds = sounds;
    this.settings = settings;
    this.utterances = corpus.utterances().size();
    this.byFile = settings.shuffleBuffer() > 0 ? byFile(corpus.utterances()) : List.of();
    this.batchesPerEpoch = batchesPerEpoch(settings.size());
  }

  /** Changes each example from now on, in this order, before it is masked. */
  public void augment(List<FeatureAugmentation> augmentations) {
    this.augmentations = List.copyOf(augmentations);
  }

  /** Number of batches in an epoch: as many as make about one crop of each recording. */
  public int batchesPerEpoch() {
    return batchesPerEpoch;
  }

  /** The same with {@code size} examples in a batch. */
  public int batchesPerEpoch(int size) {
    return Math.max(1, Math.round((float) utterances / size));
  }

  /** Number of classes: speakers x speeds. */
  public int classes() {
    return corpus.speakers().size() * source.speeds().size();
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
      long place = (long) index * n + i;
      SplittableRandom random = random(CROP, epoch, place);
      Utterance utterance = utterance(first + i);
      int speed = random.nextInt(source.speeds().size());
      int label = corpus.label(utterance.speaker());
      List<Utterance> chosen = chosen(utterance, random);
      if (sounds == null) {
        crop(chosen, speed, buffers.rows(), random);
      } else {
        cropSound(chosen, speed, epoch, place, buffers.rows(), random);
      }
      Features crop = new Features(buffers.rows(), frames, bins);
      if (settings.meanNormalization()) MeanNormalization.apply(crop);
      for (FeatureAugmentation augmentation : augmentations) augmentation.apply(crop, random);
      settings.masks().apply(crop, random);
      Batch.transpose(buffers.rows(), frames, bins, buffers.features(), i * bins * frames);
      buffers.labels()[i] = label + speed * corpus.speakers().size();
      buffers.utterances()[i] = utterance.id();
    }
    return new Batch(
        epoch, index, n, bins, frames, buffers.features(), buffers.labels(), buffers.utterances());
  }

  /** The recording at a place in an endless sequence of permutations. */
  private Utterance utterance(long place) {
    int items = settings.classBalanced() ? corpus.speakers().size() : utterances;
    long turn = place / items;
    int item = permutation(turn, items)[(int) (place % items)];
    if (!settings.classBalanced()) return corpus.utterances().get(item);
    // A speaker comes once in each turn, its recordings in permutations of their own.
    List<Utterance> own = corpus.utterances(corpus.speakers().get(item));
    long seed = mix(mix(mix(settings.seed(), OF_SPEAKER), item), turn / own.size());
    return own.get(shuffled(own.size(), new SplittableRandom(seed))[(int) (turn % own.size())]);
  }

  /** The draws for a purpose of the example at a place of an epoch. */
  private SplittableRandom random(long purpose, int epoch, long place) {
    return new SplittableRandom(mix(mix(mix(settings.seed(), purpose), epoch), place));
  }

  /** What becomes of the samples of an example: with noise or in a room, then behind a channel. */
  private float[] heard(float[] samples, int epoch, long place) {
    Surroundings surroundings = settings.surroundings();
    float[] heard = samples;
    if (surroundings != null) {
      heard = surroundings.heard(heard, random(SURROUNDINGS, epoch, place));
    }
    SplittableRandom random = random(CHANNEL, epoch, place);
    if (random.nextDouble() >= settings.channels().probability()) return heard;
    return new Channel(random, settings.channels()).apply(heard);
  }

  /** A recording and the others that are joined to it, at random and not twice. */
  private List<Utterance> chosen(Utterance utterance, SplittableRandom random) {
    int count = settings.joinUtterances();
    if (count == 1) return List.of(utterance);
    List<Utterance> all = corpus.utterances(utterance.speaker());
    List<Utterance> chosen = new ArrayList<>(count);
    chosen.add(utterance);
    while (chosen.size() < count) {
      Utterance next = all.get(random.nextInt(all.size()));
      // A speaker with fewer recordings than are joined is heard again.
      if (chosen.size() < all.size() && chosen.contains(next)) continue;
      chosen.add(next);
    }
    return chosen;
  }

  private void crop(List<Utterance> chosen, int speed, float[] rows, SplittableRandom random) {
    List<FeatureView> views = chosen.stream().map(u -> source.features(u, speed)).toList();
    Cut cut = cut(views.stream().mapToInt(FeatureView::frames).toArray(), random);
    int filled = 0;
    for (int i = 0; i < cut.from.length; i++) {
      views.get(i).copy(cut.from[i], cut.counts[i], rows, filled * source.bins());
      filled += cut.counts[i];
    }
    repeat(rows, filled);
  }

  private void cropSound(
      List<Utterance> chosen,
      int speed,
      int epoch,
      long place,
      float[] rows,
      SplittableRandom random) {
    FeatureReader reader = sounds.reader();
    List<Samples> said = new ArrayList<>();
    List<float[]> pieces = new ArrayList<>();
    try {
      for (Utterance utterance : chosen) said.add(sounds.open(utterance, speed));
      Cut cut = cut(said.stream().mapToInt(s -> reader.frames(s.length())).toArray(), random);
      for (int i = 0; i < said.size(); i++) {
        if (cut.counts[i] == 0) continue;
        Samples sound = said.get(i);
        long from = (long) cut.from[i] * reader.shift();
        long to = from + reader.samples(cut.counts[i]);
        pieces.add(FeatureReader.naming(chosen.get(i), () -> sound.part(from, to)));
      }
      if (pieces.isEmpty()) pieces.add(said.getFirst().all()); // too short, as is said below
    } finally {
      said.forEach(Samples::close);
    }
    Utterance first = chosen.getFirst();
    SplittableRandom dither = random(DITHER, epoch, place);
    Features features =
        FeatureReader.naming(
            first,
            () ->
                reader.features(
                    pieces,
                    samples -> heard(samples, epoch, place),
                    dither,
                    first.file().toString()));
    RecordingException.requireUsable(features, first.id(), first.file());
    System.arraycopy(features.values(), 0, rows, 0, features.values().length);
    repeat(rows, features.frames());
  }

  /** The frames that are taken of each recording. */
  private record Cut(int[] from, int[] counts) {}

  /** Cuts at a random place of the joined recordings, or takes all of them. */
  private Cut cut(int[] lengths, SplittableRandom random) {
    int frames = settings.frames();
    int total = Arrays.stream(lengths).sum();
    int skip = total > frames ? random.nextInt(total - frames + 1) : 0;
    Cut cut = new Cut(new int[lengths.length], new int[lengths.length]);
    int filled = 0;
    for (int i = 0; i < lengths.length; i++) {
      cut.from[i] = Math.min(skip, lengths[i]);
      cut.counts[i] = Math.min(lengths[i] - cut.from[i], frames - filled);
      skip -= cut.from[i];
      filled += cut.counts[i];
    }
    return cut;
  }

  /** Fills the rest of the rows with the first ones again and again. */
  private void repeat(float[] rows, int period) {
    int bins = source.bins();
    int frames = settings.frames();
    for (int filled = period; filled < frames; ) {
      int count = Math.min(period, frames - filled);
      System.arraycopy(rows, 0, rows, filled * bins, count * bins);
      filled += count;
    }
  }

  private int[] permutation(long turn, int items) {
    Permutation[] known = recent;
    for (Permutation permutation : known) {
      if (permutation.turn() == turn) return permutation.order();
    }
    SplittableRandom random = new SplittableRandom(mix(mix(settings.seed(), ORDER), turn));
    int[] order = settings.shuffleBuffer() > 0 ? buffered(random) : shuffled(items, random);
    // A batch may reach into the next permutation, and threads are a few batches apart: keep two.
    Permutation made = new Permutation(turn, order);
    recent = known.length == 0 ? new Permutation[] {made} : new Permutation[] {made, known[0]};
    return order;
  }

  /** All recordings, file after file as they lie there, through a buffer that is drawn from. */
  private int[] buffered(SplittableRandom random) {
    int[] order = new int[utterances];
    int filled = 0;
    for (int file : shuffled(byFile.size(), random)) {
      for (int item : byFile.get(file)) order[filled++] = item;
    }
    int size = Math.min(settings.shuffleBuffer(), utterances);
    int[] buffer = Arrays.copyOf(order, size);
    int next = 0;
    for (int i = size; i < utterances; i++) {
      int drawn = random.nextInt(size);
      int taken = buffer[drawn];
      buffer[drawn] = order[i];
      order[next++] = taken;
    }
    for (int i : shuffled(size, random)) order[next++] = buffer[i];
    return order;
  }

  /** The recordings of each file, in the order of their places. */
  private static List<int[]> byFile(List<Utterance> utterances) {
    Map<Path, List<Integer>> files = new TreeMap<>();
    for (int i = 0; i < utterances.size(); i++) {
      files.computeIfAbsent(utterances.get(i).file(), _ -> new ArrayList<>()).add(i);
    }
    for (List<Integer> items : files.values()) {
      items.sort(Comparator.comparingDouble(i -> utterances.get(i).source().place()));
    }
    return files.values().stream()
        .map(items -> items.stream().mapToInt(Integer::intValue).toArray())
        .toList();
  }

  private static int[] shuffled(int items, SplittableRandom random) {
    int[] order = new int[items];
    for (int i = 0; i < items; i++) order[i] = i;
    for (int i = items - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
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
