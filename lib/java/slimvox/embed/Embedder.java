package slimvox.embed;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.backend.Tensor;
import slimvox.backend.dry.Rehearsal;
import slimvox.data.Batch;
import slimvox.data.FeatureSource;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Network;
import slimvox.nn.Mode;
import slimvox.storage.InputException;
import slimvox.verify.Embeddings;

/**
 * Turns utterances into embeddings with a network in evaluation mode, in planned memory.
 *
 * <p>Utterances are embedded whole. Those of equal length share a batch; an utterance's embedding
 * does not depend on the others beyond float32 rounding.
 */
public final class Embedder implements SpeakerEncoder {
  /**
   * No batch of several utterances has more frames than this, so that evaluation needs less memory
   * than training.
   */
  private static final int MOST_FRAMES = 2400;

  /** No more frames than these wait for others of their length, so that a corpus may have any. */
  private static final int MOST_WAITING = 100 * MOST_FRAMES;

  private static final int MOST_PLANS = 64;

  private record Form(int batch, int frames) {}

  /** The memory of a form and, for a frozen network, its convolutions. */
  private record Plan(ArenaPlan arena, List<Convolution> convolutions) {}

  private final Network network;
  private final Backend backend;
  private final Rehearsal<Network> rehearsal;
  private final boolean frozen;
  private final boolean owned;
  private FrontEnd frontEnd = FrontEnd.USUAL;

  /** Plans of the latest forms: a large corpus has thousands of lengths. */
  private final Map<Form, Plan> plans =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Form, Plan> eldest) {
          return size() > MOST_PLANS;
        }
      };

  /** An embedder that uses {@code network}'s parameters as they are at each call. */
  public Embedder(Network network) {
    this(network, false, false);
  }

  /**
   * A faster embedder of a network that nobody else changes or runs until it is closed: weights of
   * convolutions are laid out once as the device reads them, in float32 with the normalization that
   * follows folded in. Embeddings are the same to float32 rounding; those weights take their bytes
   * twice.
   */
  public static Embedder frozen(Network network) {
    return new Embedder(network, true, false);
  }

  /** The same of a network that is closed with it. */
  public static Embedder owning(Network network) {
    return new Embedder(network, true, true);
  }

  private Embedder(Network network, boolean frozen, boolean owned) {
    this.network = network;
    this.owned = owned;
    this.frozen = frozen;
    this.backend = network.backend();
    this.rehearsal = rehearsal();
    if (frozen) {
      network.freeze();
      rehearsal.twin().freeze();
    }
  }

  /**
   * Says what the network hears, for {@link #similarity}; without it {@link FrontEnd#USUAL}.
   *
   * @return this embedder
   */
  public Embedder hearing(FrontEnd heard) {
    frontEnd = heard;
    return this;
  }

  @Override
  public FrontEnd frontEnd() {
    return frontEnd;
  }

  private Rehearsal<Network> rehearsal() {
    return new Rehearsal<>(backend.device(), MemoryBudget.UNLIMITED, network::on);
  }

  @Override
  public ModelSpec spec() {
    return network.spec();
  }

  @Override
  public float[] embed(Features features) {
    return embed(List.of(features)).getFirst();
  }

  @Override
  public int fewestFrames() {
    for (int frames = 1; ; frames++) {
      try {
        plan(rehearsal(), 1, frames);
        return frames;
      } catch (InputException e) {
        if (frames == MOST_FRAMES) throw e;
      }
    }
  }

  /** The embeddings of utterances of equal length; in parts, where memory has no room for all. */
  public List<float[]> embed(List<Features> batch) {
    int frames = batch.getFirst().frames();
    int bins = network.spec().bins();
    float[] values = new float[Features.length((long) batch.size() * frames, bins)];
    for (int i = 0; i < batch.size(); i++) {
      Features features = batch.get(i);
      if (features.bins() != bins) {
        throw new InputException(
            "the features have %d bins, the network was made for %d"
                .formatted(features.bins(), bins));
      }
      if (features.frames() != frames) {
        throw new IllegalArgumentException(features.frames() + " frames among " + frames);
      }
      Batch.transpose(features, values, i * bins * frames);
    }
    Plan plan = plans.computeIfAbsent(new Form(batch.size(), frames), this::plan);
    float[] out;
    try {
      // Before the step: what is laid out outlasts it, so it has no place in its plan.
      if (frozen) network.prepare(plan.convolutions);
      out =
          backend.step(plan.arena, () -> run(network, Mode.EVALUATE, values, batch.size(), frames));
    } catch (OutOfBudgetException | OutOfDeviceMemoryException e) {
      if (batch.size() == 1) throw e;
      int half = batch.size() / 2;
      List<float[]> embeddings = new ArrayList<>(embed(batch.subList(0, half)));
      embeddings.addAll(embed(batch.subList(half, batch.size())));
      return embeddings;
    }
    List<float[]> embeddings = new ArrayList<>();
    int size = dimension();
    for (int i = 0; i < batch.size(); i++) {
      embeddings.add(Arrays.copyOfRange(out, i * size, (i + 1) * size));
    }
    return embeddings;
  }

  /**
   * Utterances of equal length share a batch; progress is told after each. The features of a corpus
   * of any size and any lengths take no more than 240,000 frames at a time.
   */
  @Override
  public Embeddings embed(
      Collection<String> ids, Function<String, Features> features, FeatureSource.Progress progress)
      throws InterruptedException {
    Map<String, float[]> found = new LinkedHashMap<>();
    Map<Integer, Map<String, Features>> waiting = new TreeMap<>();
    int total = ids.size();
    long frames = 0;
    for (String id : ids) {
      Features f = features.apply(id);
      if (f == null) continue;
      frames += f.frames();
      Map<String, Features> same = waiting.computeIfAbsent(f.frames(), _ -> new LinkedHashMap<>());
      same.put(id, f);
      if ((same.size() + 1) * f.frames() > MOST_FRAMES) {
        frames -= (long) same.size() * f.frames();
        flush(same, found);
        progress.at(found.size(), total);
      }
      if (frames > MOST_WAITING) {
        for (Map<String, Features> rest : waiting.values()) flush(rest, found);
        waiting.clear();
        frames = 0;
        progress.at(found.size(), total);
      }
    }
    for (Map<String, Features> rest : waiting.values()) {
      flush(rest, found);
      progress.at(found.size(), total);
    }
    Embeddings embeddings = new Embeddings(dimension());
    for (String id : ids) if (found.containsKey(id)) embeddings.add(id, found.get(id));
    return embeddings;
  }

  private void flush(Map<String, Features> batch, Map<String, float[]> found)
      throws InterruptedException {
    if (Thread.interrupted()) throw new InterruptedException("embedding was interrupted");
    if (batch.isEmpty()) return;
    List<float[]> embeddings;
    try {
      embeddings = embed(List.copyOf(batch.values()));
    } catch (InputException e) {
      throw new InputException(batch.keySet().iterator().next() + ": " + e.getMessage(), e);
    } catch (OutOfBudgetException e) {
      Map.Entry<String, Features> first = batch.entrySet().iterator().next();
      throw new OutOfBudgetException(
          "%s, %d frames: %s".formatted(first.getKey(), first.getValue().frames(), e.getMessage()),
          e.category());
    }
    int i = 0;
    for (String id : batch.keySet()) found.put(id, embeddings.get(i++));
    batch.clear();
  }

  private Plan plan(Form form) {
    List<Convolution> convolutions = null;
    if (frozen) {
      Network dry = rehearsal.twin();
      run(dry, Mode.EVALUATE, null, form.batch, form.frames); // says which convolutions there are
      convolutions = dry.convolutions();
      dry.prepare(convolutions);
    }
    return new Plan(plan(rehearsal, form.batch, form.frames), convolutions);
  }

  /** Places in one block for the embedding of a batch by a network. */
  public static ArenaPlan plan(Rehearsal<Network> rehearsal, int batch, int frames) {
    return rehearsal.plan(dry -> run(dry, Mode.EVALUATE, null, batch, frames));
  }

  /**
   * Runs a batch forward in {@link Mode#CALIBRATE}.
   *
   * @param features batch x bins x frames
   */
  public void calibrate(float[] features, int batch) {
    int frames = features.length / batch / network.spec().bins();
    ArenaPlan plan = rehearsal.plan(dry -> run(dry, Mode.CALIBRATE, null, batch, frames));
    backend.step(plan, () -> run(network, Mode.CALIBRATE, features, batch, frames));
    if (!frozen) return;
    network.thaw(); // statistics are folded into what was laid out
    network.freeze();
  }

  private static float[] run(Network network, Mode mode, float[] values, int batch, int frames) {
    Backend backend = network.backend();
    int bins = network.spec().bins();
    try (Tensor x = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1)) {
      if (values != null) backend.ops().upload(values, x); // null: on a dry backend
      try (Tensor y = network.forward(x, mode)) {
        return backend.ops().floats(y);
      }
    }
  }

  /** Leaves the network open, unless it is {@linkplain #owning owned}. */
  @Override
  public void close() {
    if (frozen) network.thaw();
    if (owned) network.close();
  }

  /** Whose embeddings, and their dimension. */
  @Override
  public String toString() {
    return "embeddings of dimension %d by %s".formatted(dimension(), network);
  }
}
