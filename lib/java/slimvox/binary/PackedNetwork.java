package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.Plane;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.storage.InputException;

/**
 * Inference with a {@link PackedModel}, one utterance at a time.
 *
 * <p>Weights stay bits. In memory are the packed weights, two float activations, two of signs, and
 * for W1A32 on the processor one tile of weights a thread; all of it is in the backend's ledger.
 * Any number of threads, any width of vectors and a card give the same bits.
 *
 * <p>Not thread-safe.
 */
public final class PackedNetwork implements AutoCloseable {
  private final Backend backend;
  private final Packed packed;
  private final ModelSpec spec;
  private final LaidNetwork layers;
  private List<Tensor> buffers = List.of();
  private Tensor scratch;
  private Schedule schedule;
  private int frames;

  /** Lays the weights out for the kernels; nothing of the model is kept. */
  public PackedNetwork(Backend backend, PackedModel model) {
    this.backend = backend;
    packed = backend.ops().packed;
    spec = model.spec();
    layers = backend.owning(() -> LaidNetwork.of(model, packed));
  }

  /** Architecture, width, bins, size of embeddings, and pooling. */
  public ModelSpec spec() {
    return spec;
  }

  /** Fewest frames of an utterance: two must be left for pooling. */
  public int fewestFrames() {
    int least = 1;
    while (pooledPositions(least) < 2) least++;
    return least;
  }

  private long pooledPositions(int frames) {
    int width = frames;
    int height = spec.bins();
    for (LaidNetwork.Block block : layers.blocks()) {
      LayerShape first = block.first().shape();
      width = first.outLength(width);
      height = first.outLength(height);
    }
    return spec.pooling() == ModelSpec.Pooling.GSP ? (long) width * height : width;
  }

  /** The embedding of frames x bins, normalized as in training; other bins, few frames: refused. */
  public float[] embed(Features features) {
    if (features.bins() != spec.bins()) {
      throw InputException.of(
          "the features have %d bins, the network was made for %d", features.bins(), spec.bins());
    }
    if (pooledPositions(features.frames()) < 2) {
      throw InputException.of(
          "an utterance of %d frames is too short, the network needs %d",
          features.frames(), fewestFrames());
    }
    prepare(features.frames());
    upload(features, schedule.features());
    schedule.steps().forEach(this::run);
    Plane last = schedule.output();
    return packed.embed(
        layers.head(), last, spec.pooling() == ModelSpec.Pooling.GSP ? 1 : last.height());
  }

  private void upload(Features features, Plane to) {
    int[] plane = new int[Math.toIntExact(to.bytes() / 4)];
    for (int bin = 0; bin < features.bins(); bin++) {
      int row = (bin + 1) * (to.width() + 2) + 1;
      for (int frame = 0; frame < features.frames(); frame++) {
        plane[row + frame] = Float.floatToRawIntBits(features.get(frame, bin));
      }
    }
    try (Tensor x = buffers.getFirst().part(0, plane.length)) {
      backend.ops().upload(plane, x);
    }
  }

  private void run(Schedule.Step step) {
    step.clear().forEach(packed::clearBorder);
    packed.convolve(step.layer(), step.in(), step.target(), scratch);
  }

  /** The steps for utterances of so many frames, in buffers that are large enough. */
  Schedule prepare(int frames) {
    if (schedule != null && frames == this.frames) return schedule;
    long[] bytes = new Schedule(layers, spec.bins(), frames, null).bytes();
    long[] address = new long[bytes.length];
    boolean fits = !buffers.isEmpty();
    for (int b = 0; fits && b < bytes.length; b++) fits = bytes[b] <= buffers.get(b).bytes();
    if (!fits) allocate(bytes);
    for (int b = 0; b < bytes.length; b++) address[b] = buffers.get(b).address();
    schedule = new Schedule(layers, spec.bins(), frames, address);
    this.frames = frames;
    return schedule;
  }

  private void allocate(long[] bytes) {
    schedule = null;
    buffers.forEach(Tensor::close);
    buffers = List.of();
    buffers =
        backend.owning(
            () -> {
              List<Tensor> all = new ArrayList<>();
              for (Schedule.Buffer b : Schedule.Buffer.values()) {
                boolean input = b == Schedule.Buffer.INPUT;
                Category category = input ? Category.INPUT : Category.ACTIVATION;
                String label = b.name().toLowerCase(Locale.ROOT);
                all.add(tensor(category, label, Math.max(64, bytes[b.ordinal()])));
              }
              if (scratch == null) scratch = workspace();
              return all;
            });
  }

  /** What the convolutions need while they run; null for nothing. */
  private Tensor workspace() {
    long most = 0;
    for (LaidConvolution layer : layers.convolutions()) {
      most = Math.max(most, packed.convolveWorkspace(layer.shape()));
    }
    return most == 0 ? null : tensor(Category.WORKSPACE, "unpacked", most);
  }

  private Tensor tensor(Category category, String label, long bytes) {
    int words = Math.toIntExact((bytes + 3) / 4);
    return backend.allocate(category, label, DataType.INT32, Shape.of(words));
  }

  @Override
  public void close() {
    buffers.forEach(Tensor::close);
    if (scratch != null) scratch.close();
    layers.close();
  }
}
