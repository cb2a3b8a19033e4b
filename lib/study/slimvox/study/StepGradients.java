package slimvox.study;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.loss.AamSoftmax;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.Parameter;
import slimvox.optim.Optimizer;
import slimvox.optim.OptimizerState;
import slimvox.optim.UpdateTime;
import slimvox.step.TrainingStep;

/**
 * The gradients that one training step gives, kept instead of used: for comparing ways to compute
 * the same network.
 *
 * <p>The relative distance of two of them is |g - h| / |h|, Euclidean norms over all parameters
 * together. With g from a reversible network that rebuilds its activations and h from the same
 * network that stores them, it is what the rounding of the inverse does to training.
 *
 * @param loss of the step
 * @param values each parameter's gradient by its name, in the order in which they were taken
 */
public record StepGradients(double loss, Map<String, float[]> values) {
  /**
   * What the step runs on: normally distributed features, labels 0, 1, 2 and so on, and initial
   * parameters, all drawn from one seed.
   *
   * @param batch utterances
   * @param frames of an utterance
   * @param classes of the AAM-softmax
   * @param margin of the AAM-softmax, radians
   * @param seed where the random numbers start from
   */
  public record Input(int batch, int frames, int classes, double margin, long seed) {
    /** Two utterances of 80 frames, 20 classes, margin 0.2. */
    public static Input small(long seed) {
      return new Input(2, 80, 20, 0.2, seed);
    }
  }

  public StepGradients {
    values = Collections.unmodifiableMap(values);
  }

  /** Runs one step of a network with fresh parameters; when gradients are taken changes no bit. */
  public static StepGradients of(ModelSpec spec, Input input, Backend backend, UpdateTime update) {
    return of(Models.build(spec, backend), input, update);
  }

  /** The same of a network that has been built; it is closed. */
  public static StepGradients of(Network network, Input input, UpdateTime update) {
    Map<String, float[]> values = new LinkedHashMap<>();
    ModelSpec spec = network.spec();
    AamSoftmax classifier =
        new AamSoftmax(network.backend(), spec.embeddingSize(), input.classes, 32);
    TrainingStep.OptimizerFactory recorder = (_, parameters) -> new Recorder(parameters, values);
    try (TrainingStep step = new TrainingStep(network, classifier, recorder, update)) {
      SplittableRandom random = new SplittableRandom(input.seed);
      step.initialize(random);
      float[] features = new float[Features.length((long) input.batch * input.frames, spec.bins())];
      for (int i = 0; i < features.length; i++) features[i] = (float) random.nextGaussian();
      int[] labels = new int[input.batch];
      for (int i = 0; i < labels.length; i++) labels[i] = i % input.classes;
      double loss = step.run(features, labels, input.margin, 0).loss();
      return new StepGradients(loss, values);
    }
  }

  /** The same with gradients taken after backward. */
  public static StepGradients of(ModelSpec spec, Input input, Backend backend) {
    return of(spec, input, backend, UpdateTime.AFTER_BACKWARD);
  }

  /** The same of the network that stores its activations; one that is not reversible is refused. */
  public static StepGradients storing(ModelSpec spec, Input input, Backend backend) {
    ModelSpec whole = spec.with("slice=0", "keep=0");
    Network network = backend.owning(() -> Models.build(whole, backend).storing());
    return of(network, input, UpdateTime.AFTER_BACKWARD);
  }

  /**
   * The relative distance between the gradients of a reversible network as {@code spec} computes it
   * and of the same network that stores its activations.
   *
   * @throws slimvox.storage.InputException if the network is not reversible
   */
  public static double rebuildingNoise(ModelSpec spec, Input input, Backend backend) {
    return of(spec, input, backend).distance(storing(spec, input, backend));
  }

  /**
   * |this - reference| / |reference| over all parameters; 0 if they agree to the bit.
   *
   * @throws IllegalArgumentException if they are gradients of different networks
   */
  public double distance(StepGradients reference) {
    if (!values.keySet().equals(reference.values.keySet())) {
      throw new IllegalArgumentException("these are gradients of different networks");
    }
    double difference = 0;
    double size = 0;
    for (String name : values.keySet()) {
      float[] mine = values.get(name);
      float[] other = reference.values.get(name);
      if (mine.length != other.length) {
        throw new IllegalArgumentException(
            "%s has %d and %d values: these are gradients of different networks"
                .formatted(name, mine.length, other.length));
      }
      for (int i = 0; i < mine.length; i++) {
        double d = (double) mine[i] - other[i];
        difference += d * d;
        size += (double) other[i] * other[i];
      }
    }
    return Math.sqrt(difference / size);
  }

  /** An optimizer that writes the gradients down and moves nothing. */
  private static final class Recorder extends Optimizer {
    private final Map<String, float[]> values;

    Recorder(List<Parameter> parameters, Map<String, float[]> values) {
      super(parameters);
      this.values = values;
    }

    @Override
    public void begin(double learningRate) {
      values.clear();
    }

    @Override
    public void update(Parameter parameter) {
      Tensor gradient = parameter.gradient();
      values.put(parameter.name(), gradient.backend().ops().floats(gradient));
    }

    @Override
    public List<OptimizerState> state() {
      return List.of();
    }
  }
}
