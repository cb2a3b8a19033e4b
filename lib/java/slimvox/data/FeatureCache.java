package slimvox.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import slimvox.audio.Channel;
import slimvox.audio.Features;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.storage.Sha256;

/**
 * Keeps features in files that are mapped, not loaded.
 *
 * <p>One safetensors file (frames x bins for each utterance) holds a speaker at a speed. Its name
 * is a hash of the feature settings, the speed, and each recording's id, path below the corpus,
 * segment, size and times of change (also the one that a copying program cannot set); so folds and
 * subsets of a corpus share files, other settings get files of their own, and a changed recording
 * is computed again. Files are written in one atomic step and carry checksums, which are looked at
 * when an utterance is first used: a killed run leaves whole files only, a damaged file is computed
 * again, and a large cache opens at once. Several processes may fill a folder at the same time.
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
   * Computes what is missing or changed, and removes what killed processes left half written.
   *
   * @param progress told after each speaker, in utterances
   * @return this
   * @throws InputException if a recording cannot be used or the disk is full
   * @throws InterruptedException if interrupted; finished speakers are kept
   */
  public FeatureCache build(int threads, Progress progress) throws InterruptedException {
    return build(threads, progress, FeatureWork::refuse);
  }

  /**
   * The same, without the speakers that have utterances that cannot be used.
   *
   * @param bad told of each of these utterances, from any thread
   */
  public FeatureCache build(int threads, Progress progress, Consumer<RecordingException> bad)
      throws InterruptedException {
    if (Files.isDirectory(folder)) AtomicFile.removeLeftovers(folder);
    FeatureWork.forEach(
        corpus.speakers(),
        speaker -> corpus.utterances(speaker).size(),
        threads,
        progress,
        speaker -> {
          try {
            shards.get(speaker).open(bad);
          } catch (IncompleteException e) {
            // bad has been told
          }
        });
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
      throw InputException.of(
          "%s: the cache was made for %s, which has no such utterance %s",
          folder, corpus.name(), utterance.id());
    }
    return files.features(utterance.id(), speed);
  }

  @Override
  public Features behind(Channel channel, List<Utterance> utterances) {
    return reader.behind(channel, utterances);
  }

  /** Features computed since this object was made, utterances times speeds; 0 if all were there. */
  public int computed() {
    return computed.get();
  }

  /** A speaker's file cannot be made, and why has been told. */
  private static final class IncompleteException extends RuntimeException {}

  /** A file, and the utterances of it whose checksums were right. */
  private record Shard(Safetensors file, FeatureView.Mapped mapped, Set<String> verified) {
    static Shard open(Path path) {
      Safetensors file = Safetensors.open(path);
      try {
        var mapped = new FeatureView.Mapped(path, Files.size(path));
        return new Shard(file, mapped, ConcurrentHashMap.newKeySet());
      } catch (IOException e) {
        throw InputException.at(path, "cannot be read (%s)", e.getMessage()).because(e);
      }
    }
  }

  /** The files of one speaker, one for each speed. */
  private final class Shards {
    private final String speaker;
    private volatile Shard[] opened;

    Shards(String speaker) {
      this.speaker = speaker;
    }

    Shard[] open(Consumer<RecordingException> bad) {
      Shard[] files = opened;
      if (files != null) return files;
      synchronized (this) {
        if (opened == null) opened = openOrBuild(bad);
        return opened;
      }
    }

    FeatureView features(String id, int speed) {
      Shard shard = open(FeatureWork::refuse)[speed];
      if (!shard.verified.contains(id)) {
        try {
          shard.file.verify(id);
        } catch (InputException damaged) {
          shard = rebuilt(shard, speed);
          shard.file.verify(id);
        }
        shard.verified.add(id);
      }
      long[] shape = shard.file.shape(id);
      return new FeatureView(shard.file.segment(id), (int) shape[0], (int) shape[1], shard.mapped);
    }

    /** All that a damaged file holds is elsewhere too. */
    private synchronized Shard rebuilt(Shard damaged, int speed) {
      if (opened[speed] == damaged) {
        Shard[] files = opened.clone();
        build(new int[] {speed}, files, FeatureWork::refuse);
        opened = files;
      }
      return opened[speed];
    }

    private Shard[] openOrBuild(Consumer<RecordingException> bad) {
      Shard[] files = new Shard[reader.speeds().size()];
      for (int speed = 0; speed < files.length; speed++) files[speed] = existing(path(speed));
      int[] missing = IntStream.range(0, files.length).filter(i -> files[i] == null).toArray();
      if (missing.length > 0) build(missing, files, bad);
      return files;
    }

    private void build(int[] missing, Shard[] files, Consumer<RecordingException> bad) {
      SafetensorsWriter[] writers = new SafetensorsWriter[missing.length];
      Path[] paths = new Path[missing.length];
      for (int i = 0; i < missing.length; i++) {
        paths[i] = path(missing[i]); // before the recordings are read: they may change meanwhile
        AtomicFile.requireWritable(paths[i]);
        writers[i] =
            Safetensors.writer()
                .metadata("slimvox.speaker", speaker)
                .metadata("slimvox.settings", reader.settings(missing[i]));
      }
      boolean complete = true;
      for (Utterance utterance : corpus.utterances(speaker)) {
        requireNoInterrupt();
        List<Features> atSpeeds;
        try {
          atSpeeds = reader.compute(utterance, missing);
        } catch (RecordingException e) {
          bad.accept(e);
          complete = false;
          continue;
        }
        for (int i = 0; i < missing.length; i++) {
          Features features = atSpeeds.get(i);
          long[] shape = {features.frames(), features.bins()};
          writers[i].put(utterance.id(), shape, features.values());
        }
      }
      if (!complete) throw new IncompleteException();
      computed.addAndGet(missing.length * corpus.utterances(speaker).size());
      for (int i = 0; i < missing.length; i++) {
        writers[i].write(paths[i]);
        files[missing[i]] = Shard.open(paths[i]);
      }
    }

    private Path path(int speed) {
      return folder.resolve(key(speed) + ".safetensors");
    }

    /** The file if its header is whole; null: it has to be computed. */
    private Shard existing(Path path) {
      if (!Files.exists(path)) return null;
      try {
        Shard shard = Shard.open(path);
        return complete(shard.file) ? shard : null;
      } catch (InputException damaged) {
        requireNoInterrupt(); // it closes the file that is being opened: that is no damage
        return null;
      }
    }

    private void requireNoInterrupt() {
      if (!Thread.currentThread().isInterrupted()) return;
      throw InputException.at(folder, "features were not finished, the thread was interrupted");
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
      StringBuilder text = new StringBuilder(reader.settings(speed)).append('\n');
      for (Utterance utterance : corpus.utterances(speaker)) {
        text.append(utterance.id()).append('\t').append(place(utterance.source())).append('\n');
      }
      return Sha256.of(Stream.of(text.toString())).substring(0, 40);
    }

    private String place(Utterance.Source source) {
      Path file = source.file();
      Path root = corpus.folder();
      Path below = file.startsWith(root) ? root.relativize(file) : file;
      String part =
          switch (source) {
            case Utterance.Ark ark -> "" + ark.offset();
            case Utterance.Sound sound ->
                (sound.offset() == 0 ? "" : sound.offset() + "\t")
                    + (sound.start() + "\t" + sound.end());
          };
      try {
        return below + "\t" + part + "\t" + Files.size(file) + "\t" + changed(file);
      } catch (IOException e) {
        throw InputException.at(file, "no such file, or it may not be read").because(e);
      }
    }

    /** When the content was changed, and the status: a copy keeps the former, not the latter. */
    private static String changed(Path file) throws IOException {
      String modified = Files.getLastModifiedTime(file).toString();
      try {
        return modified + "\t" + Files.getAttribute(file, "unix:ctime");
      } catch (UnsupportedOperationException | IllegalArgumentException e) {
        return modified; // a system without
      }
    }
  }
}
