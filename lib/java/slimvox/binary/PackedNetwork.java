package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.cuda.CudaDevice;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.storage.InputException;

/**
 * Inference with a {@link PackedModel}, one utterance at a time, on the processor or on a card.
 *
 * <p>Weights stay bits. In memory are the packed weights, two float activations, two of signs, and
 * for W1A32 on the processor one tile of weights a thread; all of it is in the backend's ledger.
 * Any number of threads, any width of vectors and a card give the same bits.
 *
 * <p>Not thread-safe.
 */
public final class PackedNetwork implements AutoCloseable {
  private final Backend backend;
  private final Parallel parallel; // null on a card
  private final PackedKernels card; // null on the processor
  private final int bins;
  private final int embeddingSize;
  private final ModelSpec.Pooling pooling;
  private final List<AutoCloseable> parts = new ArrayList<>();
  private final Schedule.Kernels kernels;
  private final HeadKernel head;
  private final List<Tensor> buffers = new ArrayList<>();
  private Tensor scratch;
  private Schedule schedule;
  private int frames;

  /**
   * Lays the weights out for the kernels; nothing of the model is kept.
   *
   * @throws InputException if the backend is neither a card nor the processor
   */
  public PackedNetwork(Backend backend, PackedModel model) {
    this(backend, model, PopcountKernel.vectorsPay());
  }

  PackedNetwork(Backend backend, PackedModel model, boolean vectors) {
    this.backend = backend;
    switch (backend.device()) {
      case CpuDevice cpu -> {
        parallel = cpu.parallel();
        card = null;
      }
      case CudaDevice cuda -> {
        parallel = null;
        card = cuda.packed();
      }
      default ->
          throw new InputException(
              "backend " + backend.name() + ": packed models run on a card or the processor");
    }
    bins = model.bins();
    embeddingSize = model.embeddingSize();
    pooling = model.pooling();
    ConvolutionKernel stem = kernel(model.stem(), vectors);
    List<Schedule.Kernels.Block> blocks = new ArrayList<>();
    for (PackedBlock b : model.blocks()) {
      blocks.add(
          new Schedule.Kernels.Block(
              b.ofSigns(),
              kernel(b.first(), vectors),
              kernel(b.second(), vectors),
              b.shortcut() == null ? null : kernel(b.shortcut(), vectors)));
    }
    kernels = new Schedule.Kernels(stem, blocks);
    head = new HeadKernel(backend, parallel, model.head());
    parts.add(head);
  }

  private ConvolutionKernel kernel(PackedConvolution layer, boolean vectors) {
    ConvolutionKernel kernel = new ConvolutionKernel(backend, parallel, layer, vectors);
    parts.add(kernel);
    return kernel;
  }

  /** Dimension of the embeddings. */
  public int embeddingSize() {
    return embeddingSize;
  }

  /** Fewest frames of an utterance: two must be left for pooling. */
  public int fewestFrames() {
    int least = 1;
    while (pooledPositions(least) < 2) least++;
    return least;
  }

  private long pooledPositions(int frames) {
    int width = frames;
    int height = bins;
    for (Schedule.Kernels.Block block : kernels.blocks()) {
      width = block.first().shape().outLength(width);
      height = block.first().shape().outLength(height);
    }
    return pooling == ModelSpec.Pooling.GSP ? (long) width * height : width;
  }

  /**
   * The embedding of one utterance.
   *
   * @param features frames x bins, mean normalized as in training
   * @throws InputException if there are other bins, or too few frames
   */
  public float[] embed(Features features) {
    if (features.bins() != bins) {
      throw new InputException(
          "the features have %d bins, the network was made for %d"
              .formatted(features.bins(), bins));
    }
    if (pooledPositions(features.frames()) < 2) {
      throw new InputException(
          "an utterance of %d frames is too short, the network needs %d"
              .formatted(features.frames(), fewestFrames()));
    }
    prepare(features.frames());
    upload(features, schedule.features());
    for (Schedule.Step step : schedule.steps()) run(step);
    return head.run(schedule.output(), pooling);
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

  void run(Schedule.Step step) {
    for (Plane p : step.clear()) {
      if (card == null) {
        p.clearBorder();
      } else {
        card.clearBorder(p.address(), p.height(), p.width(), p.elements());
      }
    }
    step.kernel().run(step.in(), step.target(), scratch == null ? 0 : scratch.address());
  }

  /** The steps for utterances of so many frames, in buffers that are large enough. */
  Schedule prepare(int frames) {
    if (schedule != null && frames == this.frames) return schedule;
    long[] bytes = new Schedule(kernels, bins, frames, null).bytes();
    long[] address = new long[bytes.length];
    boolean fits = !buffers.isEmpty();
    for (int b = 0; fits && b < bytes.length; b++) fits = bytes[b] <= buffers.get(b).bytes();
    if (!fits) allocate(bytes);
    for (int b = 0; b < bytes.length; b++) address[b] = buffers.get(b).address();
    schedule = new Schedule(kernels, bins, frames, address);
    this.frames = frames;
    return schedule;
  }

  private void allocate(long[] bytes) {
    schedule = null;
    buffers.forEach(Tensor::close);
    buffers.clear();
    for (int b = 0; b < bytes.length; b++) {
      Category category = b == 0 ? Category.INPUT : Category.ACTIVATION;
      String label = Schedule.Buffer.values()[b].name().toLowerCase(java.util.Locale.ROOT);
      buffers.add(tensor(category, label, Math.max(64, bytes[b])));
    }
    if (scratch != null) return;
    long most = 0;
    for (AutoCloseable part : parts) {
      if (part instanceof ConvolutionKernel k) most = Math.max(most, k.scratchBytes());
    }
    if (most > 0) scratch = tensor(Category.WORKSPACE, "unpacked", parallel.threads() * most);
  }

  private Tensor tensor(Category category, String label, long bytes) {
    int words = Math.toIntExact((bytes + 3) / 4);
    return backend.allocate(category, label, DataType.INT32, Shape.of(words));
  }

  @Override
  public void close() {
    buffers.forEach(Tensor::close);
    buffers.clear();
    if (scratch != null) scratch.close();
    for (AutoCloseable part : parts) {
      try {
        part.close();
      } catch (Exception e) {
        throw new IllegalStateException(e); // they declare none
      }
    }
    parts.clear();
  }
}
