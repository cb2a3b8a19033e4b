package slimvox.binary;

import java.util.List;
import java.util.Random;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.packed.PackedFixture;
import slimvox.data.Batch;
import slimvox.embed.Embedder;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.GlobalStatisticsPooling;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.Sequential;
import slimvox.nn.StatisticsPooling;

/** Networks whose parameters are all different from what they begin with, as after a training. */
final class TrainedNetwork {
  private TrainedNetwork() {}

  static Network of(ModelSpec spec, Backend backend, long seed) {
    Network network = Models.build(spec, backend);
    Random random = new Random(seed);
    network.initialize(random);
    for (Parameter p : network.state().parameters().values()) {
      boolean vector = p.value().shape().toArray().length == 1;
      if (vector) disturb(p.value(), random, 0.3f);
    }
    float[] x = new float[2 * spec.bins() * 24];
    for (int i = 0; i < x.length; i++) x[i] = (float) random.nextGaussian();
    // The running statistics become those of noise.
    for (int step = 0; step < 12; step++) forward(network, x, 2, 24, Mode.CALIBRATE);
    return network;
  }

  private static void disturb(Tensor x, Random random, float by) {
    float[] values = x.backend().ops().floats(x);
    for (int i = 0; i < values.length; i++) values[i] += by * (float) random.nextGaussian();
    x.backend().ops().upload(values, x);
  }

  static Features features(Random random, int frames, int bins) {
    return new Features(PackedFixture.normal(random, frames * bins), frames, bins);
  }

  /** What the trained network pools: H x W x C. */
  static float[] activations(Network network, Features features) throws Exception {
    List<Layer> layers = layers(field(Network.class, network, "layers"));
    Backend backend = network.backend();
    float[] x = new float[features.bins() * features.frames()];
    Batch.transpose(features, x, 0);
    Tensor y =
        backend.allocate(Category.INPUT, "features", 1, features.bins(), features.frames(), 1);
    backend.ops().upload(x, y);
    for (Layer layer : layers) {
      if (layer instanceof StatisticsPooling || layer instanceof GlobalStatisticsPooling) break;
      Tensor next = layer.forward(y, Mode.EVALUATE);
      y.close();
      y = next;
    }
    float[] values = backend.ops().floats(y);
    y.close();
    return values;
  }

  @SuppressWarnings("unchecked")
  private static List<Layer> layers(Object sequential) throws Exception {
    return (List<Layer>) field(Sequential.class, sequential, "layers");
  }

  private static Object field(Class<?> type, Object object, String name) throws Exception {
    var field = type.getDeclaredField(name);
    field.setAccessible(true);
    return field.get(object);
  }

  static float[] embed(Network network, Features features) {
    try (Embedder embedder = new Embedder(network)) {
      return embedder.embed(features);
    }
  }

  private static float[] forward(Network network, float[] x, int batch, int frames, Mode mode) {
    Backend backend = network.backend();
    int bins = network.spec().bins();
    try (Tensor input = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1)) {
      backend.ops().upload(x, input);
      try (Tensor y = network.forward(input, mode)) {
        return backend.ops().floats(y);
      }
    }
  }
}
