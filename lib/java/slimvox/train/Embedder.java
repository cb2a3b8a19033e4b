package slimvox.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.dry.DryDevice;
import slimvox.data.Batch;
import slimvox.data.FeatureSource;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
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
public final class Embedder implements AutoCloseable {
  /** No batch has more frames than this, so that evaluation needs less memory than training. */
  private static final int MOST_FRAMES = 2400;

  private static final int MOST_PLANS = 64;

  private record Form(int batch, int frames) {}

  private final Network network;
  private final Backend backend;
  private final Backend dryBackend;
  private final Network dryNetwork;

  /** Plans of the latest forms: a large corpus has thousands of lengths. */
  private final Map<Form, ArenaPlan> plans =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Form, ArenaPlan> eldest) {
          return size() > MOST_PLANS;
        }
      };

  /** An embedder that uses {@code network}'s parameters as they are at each call. */
  public Embedder(Network network) {
    this.network = network;
    this.backend = network.backend();
    this.dryBackend = new Backend(new DryDevice(backend.device()));
    this.dryNetwork = network.on(dryBackend);
  }

  /** Dimension of the embeddings. */
  public int dimension() {
    return network.spec().embeddingSize();
  }

  /**
   * The embedding of one utterance.
   *
   * @param features frames x bins, mean normalized as in training
   */
  public float[] embed(Features features) {
    return embed(List.of(features)).getFirst();
  }

  /** The embeddings of utterances of equal length. */
  public List<float[]> embed(List<Features> batch) {
    int frames = batch.getFirst().frames();
    int bins = network.spec().bins();
    float[] values = new float[Math.multiplyExact(batch.size() * bins, frames)];
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
    ArenaPlan plan = plans.computeIfAbsent(new Form(batch.size(), frames), this::plan);
    float[] out = backend.step(plan, () -> run(network, values, batch.size(), frames));
    List<float[]> embeddings = new ArrayList<>();
    int size = dimension();
    for (int i = 0; i < batch.size(); i++) {
      embeddings.add(Arrays.copyOfRange(out, i * size, (i + 1) * size));
    }
    return embeddings;
  }

  /**
   * The embeddings of many utterances.
   *
   * @param ids what to embed, each once
   * @param features of an id, mean normalized as in training
   * @param progress told after each batch
   * @throws InputException if an utterance is too short, naming it
   * @throws InterruptedException if interrupted
   */
  public Embeddings embed(
      Collection<String> ids, Function<String, Features> features, FeatureSource.Progress progress)
      throws InterruptedException {
    Map<String, float[]> found = new LinkedHashMap<>();
    Map<Integer, Map<String, Features>> waiting = new TreeMap<>();
    int total = ids.size();
    for (String id : ids) {
      Features f = features.apply(id);
      Map<String, Features> same = waiting.computeIfAbsent(f.frames(), _ -> new LinkedHashMap<>());
      same.put(id, f);
      if ((same.size() + 1) * f.frames() > MOST_FRAMES) {
        flush(same, found);
        progress.at(found.size(), total);
      }
    }
    for (Map<String, Features> rest : waiting.values()) {
      flush(rest, found);
      progress.at(found.size(), total);
    }
    Embeddings embeddings = new Embeddings(dimension());
    for (String id : ids) embeddings.add(id, found.get(id));
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
    }
    int i = 0;
    for (String id : batch.keySet()) found.put(id, embeddings.get(i++));
    batch.clear();
  }

  private ArenaPlan plan(Form form) {
    MemoryLedger ledger = dryBackend.ledger();
    ledger.startTimeline();
    int bins = network.spec().bins();
    float[] values = new float[form.batch * bins * form.frames];
    run(dryNetwork, values, form.batch, form.frames);
    return ArenaPlan.of(ledger.stopTimeline());
  }

  private static float[] run(Network network, float[] values, int batch, int frames) {
    Backend backend = network.backend();
    int bins = network.spec().bins();
    try (Tensor x = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1)) {
      backend.ops().upload(values, x);
      try (Tensor y = network.forward(x, Mode.EVALUATE)) {
        return backend.ops().floats(y);
      }
    }
  }

  /** Leaves the network open. */
  @Override
  public void close() {
    dryNetwork.close();
    dryBackend.close();
  }
}
