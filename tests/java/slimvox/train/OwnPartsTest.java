package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.sameBits;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.data.FeatureAugmentation;
import slimvox.loss.Classifier;
import slimvox.memory.Category;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Conv2d;
import slimvox.nn.Layer;
import slimvox.nn.Linear;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.StatisticsPooling;
import slimvox.optim.Optimizer;
import slimvox.optim.OptimizerState;
import slimvox.optim.OptimizerStateFormat;
import slimvox.recipe.Recipe;
import slimvox.settings.Registry;
import slimvox.step.GradientCheck;
import slimvox.step.MemoryAnalysis;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/** Parts of one's own, each as short as a notebook's, are trained like those that ship. */
class OwnPartsTest {
  @TempDir static Path folder;

  private static final AtomicInteger AUGMENTED = new AtomicInteger();

  /** y = g x, a gain for each channel. */
  static final class Gain implements Layer {
    private final Parameter gain;
    private Tensor kept;

    Gain(Backend backend, String name, int channels) {
      gain = new Parameter(backend, name + ".gain", channels);
    }

    @Override
    public Tensor forward(Tensor x, Mode mode) {
      if (mode.keeps()) kept = x.retain();
      return scaled(x, Category.ACTIVATION);
    }

    private Tensor scaled(Tensor x, Category category) {
      Tensor y = x.backend().allocateLike(x, category, gain.name() + ".out");
      float[] values = x.backend().ops().floats(x);
      float[] g = x.backend().ops().floats(gain.value());
      for (int i = 0; i < values.length; i++) values[i] *= g[i % g.length];
      x.backend().ops().upload(values, y);
      return y;
    }

    @Override
    public Tensor backward(Tensor dy) {
      try (dy;
          Tensor input = kept) {
        float[] x = dy.backend().ops().floats(input);
        float[] d = dy.backend().ops().floats(dy);
        float[] sums = new float[Math.toIntExact(gain.value().size())];
        for (int i = 0; i < x.length; i++) sums[i % sums.length] += x[i] * d[i];
        dy.backend().ops().upload(sums, gain.gradient());
        Tensor dx = scaled(dy, Category.ACTIVATION_GRADIENT);
        gain.gradientComplete();
        return dx;
      }
    }

    @Override
    public List<Parameter> parts() {
      return List.of(gain);
    }
  }

  /** Softmax cross entropy of x W^T, without margin. */
  static class PlainSoftmax implements Classifier {
    private final Parameter weight;
    private Tensor x;
    private Tensor dlogits;

    PlainSoftmax(Backend backend, int embeddingSize, int classes, double scale) {
      this(backend, "projection.weight", embeddingSize, classes);
    }

    PlainSoftmax(Backend backend, String name, int embeddingSize, int classes) {
      weight = new Parameter(backend, name, classes, embeddingSize);
    }

    @Override
    public void forward(Tensor x, Tensor labels, double margin, Unread unread) {
      var ops = x.backend().ops();
      this.x = x.retain();
      int classes = weight.value().shape().get(0);
      dlogits =
          x.backend().allocate(Category.ACTIVATION, "projection.logits", x.shape().get(0), classes);
      ops.matrices.matmul(false, true, x, weight.value(), dlogits, false);
      ops.margin.argmaxRows(dlogits, unread.best());
      ops.margin.argmaxRows(dlogits, unread.bestWithoutMargin());
      ops.margin.softmaxCrossEntropy(dlogits, labels, unread.losses(), dlogits);
    }

    @Override
    public Tensor backward() {
      var matrices = x.backend().ops().matrices;
      try (Tensor in = x;
          Tensor dz = dlogits) {
        Tensor dx = in.backend().allocateLike(in, Category.ACTIVATION_GRADIENT, "projection.din");
        matrices.matmul(false, false, dz, weight.value(), dx, false);
        boolean more = weight.hasGradient();
        matrices.matmul(true, false, dz, in, weight.gradient(), more);
        weight.gradientComplete();
        return dx;
      }
    }

    @Override
    public List<Parameter> parts() {
      return List.of(weight);
    }
  }

  /** Lion (Chen et al. 2023, arXiv 2302.06675): p -= rate (sign(0.9 m + 0.1 g) + decay p). */
  static final class Lion extends Optimizer {
    private final Map<Parameter, OptimizerState> momentum = new LinkedHashMap<>();
    private final double decay;
    private double rate;

    Lion(Backend backend, List<Parameter> all, double decay, OptimizerStateFormat format) {
      super(all);
      this.decay = decay;
      all.forEach(p -> momentum.put(p, new OptimizerState(backend, p, "momentum", format, true)));
    }

    @Override
    public void begin(double learningRate) {
      rate = learningRate;
    }

    @Override
    public void update(Parameter p) {
      var ops = p.value().backend().ops();
      float[] g = ops.floats(p.gradient());
      float[] v = ops.floats(p.value());
      float[] m = momentum.get(p).values();
      for (int i = 0; i < v.length; i++) {
        v[i] -= (float) (rate * (Math.signum(0.9 * m[i] + 0.1 * g[i]) + decay * v[i]));
        m[i] = 0.99f * m[i] + 0.01f * g[i];
      }
      ops.upload(v, p.value());
      momentum.get(p).set(m);
    }

    @Override
    public List<OptimizerState> state() {
      return List.copyOf(momentum.values());
    }
  }

  @BeforeAll
  static void register() throws IOException {
    TinyRuns.corpus(folder);
    Models.register("gain-net", OwnPartsTest::gainNet);
    Classifier.register("plain-softmax", PlainSoftmax::new);
    Optimizer.register("my-lion", Lion::new);
    FeatureAugmentation.register(
        "louder",
        (example, random) -> {
          AUGMENTED.incrementAndGet();
          float offset = 0.1f * (float) random.nextGaussian();
          for (int i = 0; i < example.values().length; i++) example.values()[i] += offset;
        });
  }

  /** Other tests of this process go through the names of all parts. */
  @AfterAll
  static void forget() throws ReflectiveOperationException {
    Field own = Registry.class.getDeclaredField("own");
    own.setAccessible(true);
    var homes = List.of(Models.class, Classifier.class, Optimizer.class, FeatureAugmentation.class);
    for (Class<?> home : homes) {
      for (Field field : home.getDeclaredFields()) {
        if (field.getType() != Registry.class) continue;
        field.setAccessible(true);
        ((Map<?, ?>) own.get(field.get(null))).clear();
      }
    }
  }

  private static Network gainNet(ModelSpec spec, Backend backend) {
    int c = spec.width();
    return Network.of(
        spec,
        backend,
        Conv2d.builder(backend, "conv1", 1, c).stride(2).build(),
        new BatchNorm2d(backend, "bn1", c, true),
        new Gain(backend, "gain", c),
        new StatisticsPooling(backend, "pool"),
        new Linear(backend, "seg_1", 2 * c * (spec.bins() / 2), spec.embeddingSize()));
  }

  private static Recipe recipe(String... settings) {
    return TinyRuns.recipe(
            folder,
            "model.name=gain-net",
            "loss.name=plain-softmax",
            "optimizer.name=my-lion",
            "optimizer.learningRate.initial=0.01",
            "optimizer.learningRate.schedule=constant",
            "data.speeds=[1.0]",
            "data.augmentations=[louder]",
            "run.length=20 steps",
            "run.validateEvery=0 steps",
            "run.checkpointEvery=0 steps")
        .with(settings);
  }

  @Test
  void gradientsAreRight() {
    try (Backend cpu = new Backend(CpuDevice.open(1))) {
      try (Gain gain = new Gain(cpu, "g", 3)) {
        GradientCheck check = GradientCheck.of(gain, cpu, 2, 5, 7, 3);
        assertTrue(check.passes(), check::toString);
        assertEquals(
            List.of("g.gain", "input"), check.errors().keySet().stream().sorted().toList());
      }
      try (PlainSoftmax loss = new PlainSoftmax(cpu, 7, 5, 1)) {
        GradientCheck check = GradientCheck.of(loss, cpu, 7, 5);
        assertTrue(check.passes(), check::toString);
      }
      Classifier wrong =
          new PlainSoftmax(cpu, 7, 5, 1) {
            @Override
            public Tensor backward() {
              Tensor dx = super.backward();
              dx.backend().ops().elementwise.axpy(1, dx, dx); // twice as much
              return dx;
            }
          };
      try (wrong) {
        GradientCheck check = GradientCheck.of(wrong, cpu, 7, 5);
        assertFalse(check.passes());
        assertTrue(check.toString().startsWith("wrong: "), check::toString);
        assertTrue(check.toString().endsWith("in input"), check::toString);
      }
      cpu.ledger().checkOnly();
    }
  }

  @Test
  void ownPartsAreTrainedPricedCheckpointedAndResumed() throws Exception {
    Path whole = folder.resolve("whole");
    List<Double> losses = new ArrayList<>();
    int before = AUGMENTED.get();
    Recipe recipe = recipe();
    try (Trainer trainer = TinyRuns.start(recipe, whole)) {
      Listener.End end =
          trainer.run(
              new Listener() {
                @Override
                public void stepped(Step step) {
                  losses.add(step.result().loss());
                }
              });
      assertEquals(20, end.step());
      int classes = trainer.data().batches().classes();
      var device = trainer.network().backend().device();
      MemoryAnalysis dry = MemoryAnalysis.of(recipe, classes, device, 1);
      long priced = dry.price(recipe.model(), recipe.run().batch()).totalPeak();
      assertEquals(priced, trainer.ledger().report().totalPeak());
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
      float[] gain =
          trainer
              .network()
              .backend()
              .ops()
              .floats(trainer.network().state().parameters().get("gain.gain").value());
      for (float g : gain) assertTrue(g != 1 && Math.abs(g - 1) < 0.3, "from 1 on: " + g);
    }
    assertTrue(AUGMENTED.get() >= before + 20 * 4);
    double first = losses.subList(0, 5).stream().mapToDouble(l -> l).average().orElseThrow();
    double last = losses.subList(15, 20).stream().mapToDouble(l -> l).average().orElseThrow();
    assertTrue(last < 0.8 * first, losses::toString);

    Path parts = folder.resolve("parts");
    try (Trainer trainer = TinyRuns.start(recipe, parts)) {
      trainer.run(interruptAt(7));
      assertTrue(Thread.interrupted());
    }
    try (Trainer trainer = Trainer.resume(parts.toString())) {
      assertEquals(7, trainer.step());
      trainer.run(TinyRuns.SILENT);
    }
    sameBits(Checkpoint.file(whole, 20), Checkpoint.file(parts, 20));
    // State of 8 bits is the format's affair, not the rule's.
    try (Trainer trainer = Trainer.of(recipe("optimizer.state.bits=8"))) {
      trainer.run(TinyRuns.SILENT);
    }
  }

  /** Of the same corpus; the classifier only if both losses call its tensors alike. */
  @Test
  void aRunStartsWithTheNetworkOfOneWithAnotherLoss() throws Exception {
    Classifier.register(
        "other-softmax",
        (backend, size, classes, scale) ->
            new PlainSoftmax(backend, "projection.rows", size, classes));
    Map<String, Path> files = new LinkedHashMap<>();
    for (String loss : List.of("plain-softmax", "other-softmax")) {
      Path file = folder.resolve(loss + ".safetensors");
      String speeds = "data.speeds=[1.0, 0.9]";
      try (Trainer trainer = Trainer.of(recipe("loss.name=" + loss, speeds))) {
        trainer.run(TinyRuns.SILENT);
        trainer.save(file.toString());
      }
      files.put(loss, file);
      for (String own : List.of("plain-softmax", "other-softmax")) {
        if (!files.containsKey(own)) continue;
        takesOver(files.get(own), recipe("loss.name=" + loss, speeds), own.equals(loss));
        takesOver(file, recipe("loss.name=" + own, speeds), own.equals(loss));
        // Fewer classes: the first rows, and only of projection.weight.
        boolean rows = own.equals(loss) && loss.equals("plain-softmax");
        takesOver(file, recipe("loss.name=" + own), rows);
      }
    }
  }

  private static void takesOver(Path from, Recipe recipe, boolean classifier) throws Exception {
    Safetensors file = Safetensors.read(from);
    try (Trainer trainer = Trainer.of(recipe.with("transfer.from=" + from))) {
      for (Parameter p : trainer.training().step().state().parameters().values()) {
        float[] values = p.value().backend().ops().floats(p.value());
        boolean same =
            file.has(p.name())
                && Arrays.equals(values, Arrays.copyOf(file.floats(p.name()), values.length));
        assertEquals(classifier || !p.name().startsWith("projection."), same, p.name());
      }
    }
  }

  @Test
  void partsThatAreNotRegisteredAreNamed() {
    String yaml = recipe().toYaml().replace("gain-net", "gain-net2");
    var e = assertThrows(InputException.class, () -> Recipe.parse(yaml, "checkpoint: its recipe"));
    assertTrue(e.getMessage().contains("model.name: gain-net2 is not possible"), e.getMessage());
    assertTrue(e.getMessage().contains("a name registered by Models.register"), e.getMessage());
    var own = assertThrows(InputException.class, () -> recipe("loss.name=mine"));
    assertTrue(own.getMessage().contains("by Classifier.register"), own.getMessage());
    var change = assertThrows(InputException.class, () -> recipe("data.augmentations=[mine]"));
    assertTrue(
        change.getMessage().contains("by FeatureAugmentation.register"), change.getMessage());
    assertEquals(
        "Optimizer.register: adam ships with SlimVox; register yours as another, such as my-adam",
        assertThrows(InputException.class, () -> Optimizer.register("adam", Lion::new))
            .getMessage());
    assertEquals(
        "setting optimizer.betas=[0.9, 0.99]: optimizer.betas: [0.9, 0.99] has no effect with"
            + " my-lion",
        assertThrows(InputException.class, () -> recipe("optimizer.betas=[0.9, 0.99]"))
            .getMessage());
    Classifier.register(
        "badly-named",
        (backend, size, classes, scale) ->
            new PlainSoftmax(backend, size, classes, scale) {
              private final Parameter own = new Parameter(backend, "own.weight", classes);

              @Override
              public List<Parameter> parts() {
                return List.of(own);
              }
            });
    assertEquals(
        "the loss badly-named calls a part of it own.weight; begin its name with projection., which"
            + " keeps it apart from the network's",
        assertThrows(InputException.class, () -> Trainer.of(recipe("loss.name=badly-named")))
            .getMessage());
  }
}
