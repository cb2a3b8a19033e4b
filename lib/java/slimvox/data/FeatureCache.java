package slimvox.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import slimvox.audio.Features;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.storage.Sha256;

/**
 * Keeps features in files that are mapped, not loaded.
 *
 * <p>One safetensors file (frames x bins for each utterance) holds a speaker at a speed. Its name
 * is a hash of the feature settings, the speed, and each recording's id, path below the corpus,
 * size and time of change; so folds and subsets of a corpus share files, other settings get files
 * of their own, and a changed recording is computed again. Files are written in one atomic step and
 * carry checksums: a killed run leaves whole files only, and a damaged file is computed again.
 */
public final class FeatureCache implements FeatureSource {
  private final Path folder;
  private final FeatureReader reader;
  private final Corpus corpus;
  private final Map<String, Shards> shards = new HashMap<>();
  private final AtomicInteger computed = new AtomicInteger();

  /**
   * A cache in a folder, which many corpora and settings may share; it is made when needed.
   *
   * @param reader computes what is not there
   */
  public FeatureCache(Path folder, FeatureReader reader, Corpus corpus) {
    this.folder = folder;
    this.reader = reader;
    this.corpus = corpus;
    for (String speaker : corpus.speakers()) shards.put(speaker, new Shards(speaker));
  }

  /**
   * Computes what is missing, changed or damaged.
   *
   * @param progress told after each speaker, in utterances
   * @return this
   * @throws InputException if a recording cannot be used or the disk is full
   * @throws InterruptedException if interrupted; finished speakers are kept
   */
  public FeatureCache build(int threads, Progress progress) throws InterruptedException {
    int total = corpus.utterances().size();
    AtomicInteger done = new AtomicInteger();
    List<Runnable> pieces = new ArrayList<>();
    for (String speaker : corpus.speakers()) {
      pieces.add(
          () -> {
            shards.get(speaker).open();
            progress.at(done.addAndGet(corpus.utterances(speaker).size()), total);
          });
    }
    FeatureWork.run(pieces, threads);
    return this;
  }

  @Override
  public int bins() {
    return reader.bins();
  }

  @Override
  public List<Double> speeds() {
    return reader.speeds();
  }

  @Override
  public FeatureView features(Utterance utterance, int speed) {
    Shards files = shards.get(utterance.speaker());
    if (files == null || !utterance.equals(corpus.find(utterance.id()))) {
      throw new InputException(
          folder
              + ": the cache was made for "
              + corpus.name()
              + ", which has no such utterance "
              + utterance.id());
    }
    Safetensors file = files.open()[speed];
    long[] shape = file.shape(utterance.id());
    return new FeatureView(file.segment(utterance.id()), (int) shape[0], (int) shape[1]);
  }

  /** Features computed since this object was made, utterances times speeds; 0 if all were there. */
  public int computed() {
    return computed.get();
  }

  /** The files of one speaker, one for each speed. */
  private final class Shards {
    private final String speaker;
    private volatile Safetensors[] opened;

    Shards(String speaker) {
      this.speaker = speaker;
    }

    Safetensors[] open() {
      Safetensors[] files = opened;
      if (files != null) return files;
      synchronized (this) {
        if (opened == null) opened = openOrBuild();
        return opened;
      }
    }

    private Safetensors[] openOrBuild() {
      Safetensors[] files = new Safetensors[reader.speeds().size()];
      Path[] paths = new Path[files.length];
      for (int speed = 0; speed < files.length; speed++) {
        paths[speed] = folder.resolve(key(speed) + ".safetensors");
        files[speed] = existing(paths[speed]);
      }
      int[] missing = IntStream.range(0, files.length).filter(i -> files[i] == null).toArray();
      if (missing.length == 0) return files;
      SafetensorsWriter[] writers = new SafetensorsWriter[missing.length];
      for (int i = 0; i < missing.length; i++) {
        writers[i] =
            Safetensors.writer()
                .metadata("slimvox.speaker", speaker)
                .metadata("slimvox.settings", reader.settings(missing[i]));
      }
      for (Utterance utterance : corpus.utterances(speaker)) {
        List<Features> atSpeeds = reader.compute(utterance, missing);
        for (int i = 0; i < missing.length; i++) {
          Features features = atSpeeds.get(i);
          long[] shape = {features.frames(), features.bins()};
          writers[i].put(utterance.id(), shape, features.values());
          computed.incrementAndGet();
        }
      }
      for (int i = 0; i < missing.length; i++) {
        writers[i].write(paths[missing[i]]);
        files[missing[i]] = Safetensors.read(paths[missing[i]]);
      }
      return files;
    }

    /** The file if it is whole; a damaged one is computed again, all it holds is elsewhere too. */
    private Safetensors existing(Path path) {
      if (!Files.exists(path)) return null;
      try {
        Safetensors file = Safetensors.read(path);
        return complete(file) ? file : null;
      } catch (InputException damaged) {
        return null;
      }
    }

    private boolean complete(Safetensors file) {
      for (Utterance utterance : corpus.utterances(speaker)) {
        if (!file.has(utterance.id()) || !file.dtype(utterance.id()).equals("F32")) return false;
        long[] shape = file.shape(utterance.id());
        if (shape.length != 2 || shape[0] < 1 || shape[1] != reader.bins()) return false;
      }
      return true;
    }

    private String key(int speed) {
      MessageDigest digest = Sha256.digest();
      StringBuilder text = new StringBuilder(reader.settings(speed)).append('\n');
      for (Utterance utterance : corpus.utterances(speaker)) {
        text.append(utterance.id()).append('\t').append(place(utterance.source())).append('\n');
      }
      byte[] hash = digest.digest(text.toString().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash, 0, 20);
    }

    private String place(Utterance.Source source) {
      Path file = source.file();
      Path root = corpus.folder();
      Path below = file.startsWith(root) ? root.relativize(file) : file;
      long offset = source instanceof Utterance.Ark ark ? ark.offset() : 0;
      try {
        long changed = Files.getLastModifiedTime(file).toMillis();
        return below + "\t" + offset + "\t" + Files.size(file) + "\t" + changed;
      } catch (IOException e) {
        throw new InputException(file + ": no such file, or it may not be read", e);
      }
    }
  }
}
