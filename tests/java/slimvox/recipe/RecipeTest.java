package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.LearningRate;
import slimvox.optim.OptimizerStateFormat;
import slimvox.settings.Key;
import slimvox.storage.InputException;

class RecipeTest {
  @TempDir Path folder;

  static String refusal(String yaml, String... settings) {
    return assertThrows(InputException.class, () -> Recipe.parse(yaml, "r.yaml", settings))
        .getMessage();
  }

  @Test
  void whatAFileLeavesOutHasItsDefault() {
    Recipe recipe = Recipe.parse("model: {width: 8}\nrun:\n  batch: null\n", "r.yaml");
    assertEquals(Recipe.defaults().with("model.width=8"), recipe);
    assertEquals(8, recipe.model().width());
    assertEquals("ResNet34", recipe.model().name());
    assertEquals(128, recipe.run().batch());
    assertEquals(Recipe.defaults(), Recipe.parse("{}", "r.yaml"));
  }

  @Test
  void yamlHoldsEverySettingAndReadsBackTheSame() {
    String yaml = Recipe.defaults().toYaml();
    assertEquals(
        """
        seed: 42
        model:
          name: ResNet34
          width: 32
          embeddingSize: 256
          pooling: tstp
          bins: 80
          reversible: none
          units: c
          order: pre
          streams: float
          recompute: none
          slice: 0
          rebuild: false
          keep: 0
          binary:
            scheme: none
            layers: null
            shortcuts: null
            gradient: null
            shifts: null
            activation: null
        data:
          trainCorpus: null
          trainSpeakers: []
          trainWords: []
          validationCorpus: null
          trials: null
          fold: 0
          folds: 0
          frames: 200
          speeds:
          - 1.0
          specAugment:
            probability: 0.0
            timeFrames: 10
            frequencyBins: 8
          joinUtterances: 1
          cacheFolder: null
          loaderThreads: 1
        loss:
          scale: 32.0
          margin:
            initial: 0.0
            final: 0.2
            start: 40 %
            end: 70 %
            increase: exponential
          easyMargin: false
        optimizer:
          name: sgd
          learningRate:
            schedule: exponential
            initial: 0.1
            final: 5.0E-5
            warmup: 0 steps
          weightDecay: 1.0E-4
          momentum: 0.9
          nesterov: true
          update: after-backward
          state:
            bits: 32
        transfer:
          from: null
          teacher: null
          weight: null
        run:
          length: 150 epochs
          batch: 128
          validateEvery: 1 epoch
          checkpointEvery: 1 epoch
          keepCheckpoints: 3
          backend: best
          tf32: false
          threads: 0
          memoryBudget: null
        """,
        yaml);
    assertEquals(Recipe.defaults(), Recipe.parse(yaml, "r.yaml"));
  }

  @ParameterizedTest
  @FieldSource("slimvox.recipe.Recipe#SHIPPED")
  void shippedRecipesReadBackTheSame(String name) {
    Recipe recipe = Recipe.shipped(name);
    Recipe again = Recipe.parse(recipe.toYaml(), name);
    assertEquals(recipe, again);
    assertEquals(recipe.hash(), again.hash());
    assertTrue(recipe.hash().matches("[0-9a-f]{12}"), recipe.hash());
  }

  @Test
  void quickStartTrainsASmallNetworkForFifteenHundredSteps() {
    Recipe recipe = Recipe.shipped("quick-start");
    assertEquals(
        ModelSpec.of("ResNet18", "width=8", "bins=40", "embeddingSize=128"), recipe.model());
    assertEquals(Path.of("data-scripts/speech-commands"), recipe.data().trainFolder());
    assertTrue(Files.isDirectory(recipe.data().trainFolder()), "the corpus that ships");
    for (String list : recipe.data().trials()) {
      assertTrue(
          Files.isRegularFile(recipe.data().trainFolder().resolve("trials/" + list + ".txt")));
    }
    assertEquals(40, recipe.data().frameShiftMs());
    assertEquals(2, recipe.data().joinUtterances());
    assertEquals(1500, recipe.run().steps(100));
    assertEquals(0, recipe.loss().margin().schedule(100, 1000).at(600));
    assertEquals(0.1, recipe.loss().margin().schedule(100, 1000).at(850));
    LearningRate rate = recipe.optimizer().learningRate().schedule(100, 1000);
    assertEquals(0, rate.at(0));
    assertEquals(0.004 / 100, rate.at(1000), 1e-12);
  }

  /** Numbers of the reference schedules at a scale of 2 = batch 128 / 64. */
  @Test
  void wespeakerRecipeHasWespeakersSchedules() {
    Recipe recipe = Recipe.shipped("wespeaker-resnet34");
    long epoch = 10;
    long steps = recipe.run().steps(epoch);
    assertEquals(1500, steps);
    LearningRate rate = recipe.optimizer().learningRate().schedule(epoch, steps);
    assertEquals(0, rate.at(0));
    assertEquals(2 * 0.073783423134815, rate.at(60), 1e-12);
    assertEquals(2 * 5.02540064311728e-05, rate.at(1499), 1e-12);
    var margin = recipe.loss().margin().schedule(epoch, steps);
    assertEquals(0, margin.at(190));
    assertEquals(0.006789825168087727, margin.at(191), 1e-12);
    assertEquals(0.19979297177265723, margin.at(389), 1e-12);
    assertEquals(0.2, margin.at(390));
    assertEquals(0.9, recipe.optimizer().momentum());
    assertTrue(recipe.optimizer().nesterov());
  }

  @Test
  void settingsWinOverTheFile() throws Exception {
    Path file = Files.writeString(folder.resolve("my.yaml"), "seed: 1\nrun:\n  batch: 64\n");
    Recipe recipe =
        Recipe.read(
            file,
            "run.batch=16",
            "data.speeds=[0.9, 1.0]",
            "data.trainCorpus=/a b/c: d",
            "run.memoryBudget=11GB",
            "loss.margin.start=2 epochs",
            "loss.margin.end=4 epochs",
            "optimizer.learningRate.final=1e-6");
    assertEquals(1, recipe.seed());
    assertEquals(16, recipe.run().batch());
    assertEquals(List.of(0.9, 1.0), recipe.data().speeds());
    assertEquals(Path.of("/a b/c: d"), recipe.data().trainFolder());
    assertEquals(Path.of("/a b/c: d"), recipe.data().validationFolder());
    assertEquals(11_000_000_000L, recipe.run().budget().bytes());
    assertEquals(MemoryBudget.UNLIMITED, Recipe.defaults().run().budget());
    assertEquals(RunLength.parse("2 epochs"), recipe.loss().margin().start());
    assertEquals(1e-6, recipe.optimizer().learningRate().last());
    assertNull(recipe.with("run.memoryBudget=null").run().memoryBudget());
  }

  @Test
  void anotherUpdateRuleDropsWhatOnlyTheOldOneHas() {
    Recipe adamw =
        Recipe.shipped("wespeaker-resnet34")
            .with("optimizer.name=adamw", "optimizer.learningRate.initial=0.003");
    assertNull(adamw.optimizer().momentum());
    assertNull(adamw.optimizer().nesterov());
    assertEquals(List.of(0.9, 0.999), adamw.optimizer().betas());
    assertEquals(1e-8, adamw.optimizer().epsilon());
    assertEquals(adamw, Recipe.parse(adamw.toYaml(), "again"));
    assertEquals(List.of(0.8, 0.99), adamw.with("optimizer.betas=[0.8,0.99]").optimizer().betas());
    assertEquals(
        0.003, adamw.with("optimizer.name=adam").optimizer().learningRate().initial(), "kept");
    assertEquals(
        "setting optimizer.name=adam: optimizer.learningRate.initial is needed with adam, for"
            + " example 0.001",
        assertThrows(InputException.class, () -> Recipe.defaults().with("optimizer.name=adam"))
            .getMessage());
    Recipe eight = adamw.with("optimizer.state.bits=8", "optimizer.state.exemptBelow=0");
    assertEquals(256, eight.optimizer().state().block());
    assertEquals(OptimizerStateFormat.Map.DYNAMIC, eight.optimizer().state().map());
    assertEquals(0, eight.with("optimizer.name=adam").optimizer().state().exemptBelow(), "kept");
    assertNull(eight.with("optimizer.state.scale=tensor").optimizer().state().block());
    assertEquals(adamw, eight.with("optimizer.state.bits=32"));
    assertEquals(
        new OptimizerStateFormat(
            8, 2048, OptimizerStateFormat.Map.LINEAR, OptimizerStateFormat.Scale.BLOCK, 0),
        eight.with("optimizer.state.map=linear", "optimizer.state.block=2048").optimizer().state());
    assertEquals(
        new OptimizerStateFormat(
            8, 256, OptimizerStateFormat.Map.DYNAMIC, OptimizerStateFormat.Scale.TENSOR, 0),
        eight.with("optimizer.state.scale=tensor").optimizer().state());
    Recipe constant = adamw.with("optimizer.learningRate.schedule=constant");
    assertNull(constant.optimizer().learningRate().last());
    assertEquals(0.003, constant.optimizer().learningRate().schedule(10, 100).at(99), "constant");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "model:@  widht: 8 | r.yaml: line 2: model.widht is not a setting; the nearest is"
            + " model.width",
        "width: 8 | r.yaml: line 1: width is not a setting; the nearest is model.width",
        "model:@  width: wide | r.yaml: line 2: model.width: needs a whole number, found 'wide'",
        "model:@  width: 8.5 | r.yaml: line 2: model.width: needs a whole number, found 8.5",
        "model:@  width: 99999999999 | r.yaml: line 2: model.width: needs a whole number, found"
            + " 99999999999",
        "model:@  width: 0 | r.yaml: line 2: model.width: 0 is not possible; allowed is 1 to 4096",
        "model:@  width: [8] | r.yaml: line 2: model.width: needs a whole number, found [8]",
        "model: ResNet34 | r.yaml: line 1: model: needs the settings below it, found 'ResNet34'",
        "model:@  pooling: mean | r.yaml: line 2: model.pooling: mean is not possible; allowed is"
            + " tstp, astp, gsp",
        "model: {name: DF-ResNet56, binary: {scheme: bwn}} | r.yaml: line 1: model.binary.scheme:"
            + " DF-ResNet56 has no binary form; the ResNets have",
        "model: {name: ResNet50, binary: {scheme: w1a1}} | r.yaml: line 1: model.binary.scheme:"
            + " ResNet50 has bottlenecks, which signs do not fit in; ResNet18 and ResNet34 do",
        "model: {reversible: full, binary: {scheme: bwn}} | r.yaml: line 1: model.binary.scheme:"
            + " reversible blocks have no binary form; set reversible to none",
        "model: {rebuild: true, binary: {scheme: bwn}} | r.yaml: line 1: model.binary.scheme:"
            + " slice and rebuild have no binary form; recompute: checkpoint has",
        "model:@  binary:@    scheme: bnw | r.yaml: line 3: model.binary.scheme: bnw is not"
            + " possible; allowed is none, bwn, paper, w1a1, w32a1",
        "model:@  binary:@    scheme: bwn@    layers: [layer5] | r.yaml: line 4:"
            + " model.binary.layers: layer5 is no convolution or group of convolutions of ResNet34"
            + " that can be binary; the nearest is layer1",
        "model:@  binary:@    scheme: bwn@    layers: [layer2.0.shortcut]@    shortcuts: false |"
            + " r.yaml: line 4: model.binary.layers: layer2.0.shortcut is no convolution or group"
            + " of convolutions of ResNet34 that can be binary without shortcuts; the nearest is"
            + " layer2.0.conv1",
        "model:@  binary:@    scheme: bwn@    layers: [] | r.yaml: line 4: model.binary.layers: is"
            + " empty; scheme none binarizes nothing",
        "model:@  binary:@    layers: [layer1] | r.yaml: line 3: model.binary.layers: [layer1] has"
            + " no effect with scheme none",
        "model:@  binary: {scheme: bwn, shifts: true} | r.yaml: line 2: model.binary.shifts: true"
            + " has no effect with scheme bwn",
        "model:@  binary: {scheme: w1a1, activation: relu} | r.yaml: line 2:"
            + " model.binary.activation: relu leaves only +1 for the signs of scheme w1a1; take"
            + " rprelu, prelu or none",
        "model:@  binary: {scheme: paper, activation: none} | r.yaml: line 2:"
            + " model.binary.activation: none needs signs, scheme w1a1 or w32a1",
        "model:@  binary: {scheme: w32a1, shortcuts: false} | r.yaml: line 2:"
            + " model.binary.shortcuts: false has no effect with scheme w32a1",
        "model:@  binary: {scheme: w32a1, gradient: xnor} | r.yaml: line 2: model.binary.gradient:"
            + " xnor has no effect with scheme w32a1",
        "model:@  binary: {scheme: bwn, gradient: sign} | r.yaml: line 2: model.binary.gradient:"
            + " sign is not possible; allowed is ste, alpha, xnor, exact",
        "model:@  name: ResNet35 | r.yaml: line 2: model.name: ResNet35 is not possible; allowed is"
            + " %models, or a name registered by Models.register",
        "data:@  speeds: 1.0 | r.yaml: line 2: data.speeds: needs a list, as in [0.9, 1.0],"
            + " found 1.0",
        "data:@  speeds: [fast] | r.yaml: line 2: data.speeds: needs a list, as in [0.9, 1.0],"
            + " found [\"fast\"]",
        "data:@  speeds: [1.0, 1.0] | r.yaml: line 2: data.speeds: [1.0, 1.0] holds a value twice",
        "data:@  speeds: [] | r.yaml: line 2: data.speeds: is empty; [1.0] is no change",
        "data:@  speeds: [1.0, 0.4] | r.yaml: line 2: data.speeds: 0.4 is not possible; allowed is"
            + " 0.5 to 2",
        "data:@  speeds: [0.9, 1.1] | r.yaml: line 2: data.speeds: [0.9, 1.1] lacks 1.0, the"
            + " recordings as they are",
        "data:@  frames: 8@  specAugment: {timeFrames: 4} | r.yaml: line 2: data.frames: 8 is not"
            + " possible with tstp pooling; allowed is at least 9",
        "transfer: {weight: 2} | r.yaml: line 1: transfer.weight: 2.0 has no effect without a"
            + " teacher",
        "transfer:@  teacher: t@  weight: 0 | r.yaml: line 3: transfer.weight: 0 is not possible;"
            + " allowed is anything above 0",
        "transfer: {from: ''} | r.yaml: line 1: transfer.from: is empty",
        "run:@  batch: 1000000 | r.yaml: line 2: run.batch: 1000000 examples of 200 frames x 80"
            + " bins are more than a Java array holds; make one smaller",
        "data:@  fold: 1 | r.yaml: line 2: data.fold: 1 has no effect without data.folds",
        "data:@  fold: 5@  folds: 5 | r.yaml: line 2: data.fold: 5 is not possible; allowed is 0"
            + " to 4",
        "data:@  specAugment:@    probability: 2 | r.yaml: line 3: data.specAugment.probability: 2"
            + " is not possible; allowed is 0 to 1",
        "data:@  specAugment: {timeFrames: 300} | r.yaml: line 2: data.specAugment.timeFrames: 300"
            + " is not possible; allowed is 0 to 200",
        "loss:@  scale: NaN | r.yaml: line 2: loss.scale: NaN is not possible; allowed is anything"
            + " above 0",
        "loss:@  easyMargin: 1 | r.yaml: line 2: loss.easyMargin: needs true or false, found 1",
        "loss:@  margin:@    start: soon | r.yaml: line 3: loss.margin.start: needs steps, epochs"
            + " or %, as in 500 steps, 6 epochs or 40 %, found 'soon'",
        "loss:@  margin:@    start: 20 | r.yaml: line 3: loss.margin.start: needs steps, epochs or"
            + " %, as in 500 steps, 6 epochs or 40 %, found 20",
        "loss:@  margin:@    end: 30 % | r.yaml: line 3: loss.margin.end: 30 % is not possible; the"
            + " margin starts to grow at 40 %",
        "optimizer:@  name: lion | r.yaml: line 2: optimizer.name: lion is not possible; allowed is"
            + " sgd, adam, adamw, or a name registered by Optimizer.register",
        "optimizer:@  update: later | r.yaml: line 2: optimizer.update: later is not possible;"
            + " allowed is after-backward, in-backward",
        "optimizer:@  momentum: 0@  state: {bits: 8} | r.yaml: line 3: optimizer.state.bits: 8 has"
            + " no effect with momentum 0, which needs no state",
        "optimizer:@  state: {bits: 16} | r.yaml: line 2: optimizer.state.bits: 16 is not possible;"
            + " allowed is 32, 8",
        "optimizer:@  state: {bits: 8, block: 0} | r.yaml: line 2: optimizer.state.block: 0 is not"
            + " possible; allowed is a power of two, such as 256 or 2048",
        "optimizer:@  state: {bits: 8, block: 300} | r.yaml: line 2: optimizer.state.block: 300 is"
            + " not possible; allowed is a power of two, such as 256 or 2048",
        "optimizer:@  state: {bits: 8, block: 0.5} | r.yaml: line 2: optimizer.state.block: needs a"
            + " whole number, found 0.5",
        "optimizer:@  state: {block: 256} | r.yaml: line 2: optimizer.state.block: 256 has no"
            + " effect with 32 bits",
        "optimizer:@  state: {bits: 8, scale: tensor, block: 256} | r.yaml: line 2:"
            + " optimizer.state.block: 256 has no effect with scale tensor",
        "optimizer:@  state: {bits: 8, map: log} | r.yaml: line 2: optimizer.state.map: log is not"
            + " possible; allowed is dynamic, linear, nearest",
        "optimizer:@  betas: [0.9, 0.99] | r.yaml: line 2: optimizer.betas: [0.9, 0.99] has no"
            + " effect with sgd",
        "optimizer:@  name: adamw | r.yaml: line 2: optimizer.learningRate.initial is needed with"
            + " adamw, for example 0.001",
        "optimizer:@  name: adam@  momentum: 0.9@  learningRate: {initial: 1} | r.yaml: line 3:"
            + " optimizer.momentum: 0.9 has no effect with adam",
        "optimizer:@  learningRate: {schedule: constant, final: 1} | r.yaml: line 2:"
            + " optimizer.learningRate.final: 1.0 has no effect with schedule constant",
        "run:@  length: 0 steps | r.yaml: line 2: run.length: 0 steps is not possible; give steps"
            + " or epochs, as in 1000 steps",
        "run:@  tf32: true@  backend: cpu | r.yaml: line 2: run.tf32: true is not possible with"
            + " run.backend cpu",
        "run:@  math: bfloat16@  backend: cuda | r.yaml: line 2: run.math: bfloat16 is not possible"
            + " with run.backend cuda",
        "run:@  math: bfloat16@  tf32: true | r.yaml: line 2: run.math: bfloat16 is not possible"
            + " with run.tf32 true",
        "run:@  graph: true@  backend: cpu | r.yaml: line 2: run.graph: true is not possible with"
            + " run.backend cpu",
        "run:@  graph: true@  lossEvery: 1 | r.yaml: line 2: run.graph: true is not possible with"
            + " run.lossEvery 1, which waits within a step; give 2 or more",
        "run:@  precision: bfloat16@  backend: cuda | r.yaml: line 2: run.precision: bfloat16 is"
            + " not possible with run.backend cuda; give cpu",
        "run:@  backend: gpu | r.yaml: line 2: run.backend: gpu is not possible; allowed is best,"
            + " cpu, cuda",
        "run:@  memoryBudget: much | r.yaml: line 2: run.memoryBudget: 'much' is not a size: write"
            + " a number and B, kB, MB, GB, MiB or GiB, as in 11GB",
        "seed: &x 1@run: {batch: *x} | r.yaml: line 2: run.batch: aliases are not read; write the"
            + " value",
        "seed: 1@seed: 2 | r.yaml: line 2: not valid YAML (Duplicate field 'seed')",
        "seed: [1 | r.yaml: line 1: not valid YAML (while parsing a flow sequence)",
        "seed: 1@---@seed: 2 | r.yaml: line 3: a second document; a recipe is one",
        "just text | r.yaml: line 1: is not a recipe, lines of key: value",
        "# nothing | r.yaml: holds no settings",
      })
  void eachFaultOfAFileHasItsLine(String yaml, String message) {
    assertEquals(
        message.replace("%models", String.join(", ", Models.names())),
        refusal(yaml.replace('@', '\n')));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "optimizer.lr=0.1 | setting optimizer.lr=0.1: optimizer.lr is not a setting; the nearest is"
            + " optimizer.learningRate",
        "batch_size=8 | setting batch_size=8: batch_size is not a setting; the nearest is"
            + " run.batch",
        "model.widht=8 | setting model.widht=8: model.widht is not a setting; the nearest is"
            + " model.width",
        "model.width=wide | setting model.width=wide: model.width: needs a whole number, found"
            + " 'wide'",
        "model.width=0 | setting model.width=0: model.width: 0 is not possible; allowed is 1 to"
            + " 4096",
        "model.width | setting model.width: write key=value, for example model.width=8",
        "model=8 | setting model=8: model is a section; set the keys below it",
        "data.speeds=[1 | setting data.speeds=[1: the value is not valid YAML (while parsing a flow"
            + " sequence)",
        "data.trainCorpus= | setting data.trainCorpus=: data.trainCorpus: is empty",
      })
  void eachFaultOfASettingNamesTheSetting(String setting, String message) {
    assertEquals(message, refusal("seed: 1", setting));
  }

  @Test
  void aSettingGivenTwiceIsRefused() {
    assertEquals(
        "setting seed=2: seed is given twice", refusal("model: {width: 8}", "seed=1", "seed=2"));
  }

  @Test
  void aValueBelowAWrongSectionDoesNotHideTheFault() {
    assertEquals(
        "r.yaml: line 1: model: needs the settings below it, found 5",
        refusal("model: 5", "model.width=8"));
  }

  @Test
  void filesThatAreNoTextAreNamed() throws Exception {
    Path none = folder.resolve("none.yaml");
    assertEquals(
        none + ": no such file",
        assertThrows(InputException.class, () -> Recipe.read(none)).getMessage());
    assertEquals(
        folder + ": is a folder, not a recipe",
        assertThrows(InputException.class, () -> Recipe.read(folder)).getMessage());
    Path binary = Files.write(folder.resolve("b.yaml"), new byte[] {'a', ':', ' ', (byte) 0xff});
    assertEquals(
        binary + ": is not text in UTF-8",
        assertThrows(InputException.class, () -> Recipe.read(binary)).getMessage());
    assertEquals(
        "quik: no such recipe; the nearest is quick-start; SlimVox ships "
            + String.join(", ", Recipe.SHIPPED),
        assertThrows(InputException.class, () -> Recipe.shipped("quik")).getMessage());
  }

  @Test
  void aCorpusThatIsNotSetIsAskedFor() {
    assertEquals(
        "data.trainCorpus: is not set; give the folder of the corpus to train with",
        assertThrows(InputException.class, () -> Recipe.defaults().data().trainFolder())
            .getMessage());
  }

  @Test
  void schedulesThatDoNotFitTheRunAreRefused() {
    Recipe recipe =
        Recipe.defaults()
            .with("optimizer.learningRate.warmup=6 epochs", "loss.margin.start=20 epochs");
    assertEquals(
        "optimizer.learningRate.warmup: 6 epochs (60 steps) leaves nothing of a run of 50 steps",
        assertThrows(InputException.class, () -> recipe.optimizer().learningRate().schedule(10, 50))
            .getMessage());
    assertEquals(
        "loss.margin.end: 70 % (step 35) comes before loss.margin.start, step 200",
        assertThrows(InputException.class, () -> recipe.loss().margin().schedule(10, 50))
            .getMessage());
  }

  @Test
  void anyTextInASettingSurvivesYaml() {
    Random random = new Random(4);
    String letters = "ab01.-:#'\"\\{}[]&*!%|>?, ä語\u00a0truenul~=";
    for (int round = 0; round < 1000; round++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(8); i >= 0; i--) {
        text.append(letters.charAt(random.nextInt(letters.length())));
      }
      if (text.toString().isBlank()) continue;
      DataSettings d = Recipe.defaults().data();
      DataSettings data =
          new DataSettings(
              text.toString(),
              List.of(text.toString()),
              List.of(text.toString()),
              null,
              null,
              0,
              0,
              200,
              0,
              10,
              true,
              d.speeds(),
              d.specAugment(),
              d.surroundings(),
              d.channel(),
              0,
              List.of(),
              d.sampling(),
              0,
              1,
              null,
              null,
              1,
              false,
              null);
      Recipe r = Recipe.defaults();
      Recipe recipe =
          new Recipe(1, r.model(), data, r.loss(), r.optimizer(), r.transfer(), r.run());
      assertEquals(recipe, Recipe.parse(recipe.toYaml(), "r.yaml"), () -> recipe.toYaml());
    }
  }

  @Test
  void controlCharactersAreRefused() {
    assertEquals(
        "r.yaml: line 1: data.trainCorpus: holds a control character",
        refusal("data: {trainCorpus: \"a\\nb\"}"));
    assertEquals(
        "r.yaml: line 1: data.trainSpeakers: is empty", refusal("data: {trainSpeakers: [a, ~]}"));
  }

  @Test
  void randomEditsGiveARecipeOrOneLine() throws Exception {
    String[] sources = {
      Recipe.shipped("quick-start").toYaml(),
      Files.readString(Path.of("lib/resources/recipes/wespeaker-resnet34.yaml"))
    };
    String pieces = "0123456789.-:#'\"\\{}[]&*!%|>?, \t\n~=eEnulltrue\u0000\uD800é";
    Random random = new Random(5);
    int accepted = 0;
    int rounds = 3000;
    for (int round = 0; round < rounds; round++) {
      StringBuilder text = new StringBuilder(sources[round % 2]);
      for (int edit = random.nextInt(4); edit >= 0; edit--) {
        int at = random.nextInt(text.length());
        int to = Math.min(text.length(), at + 1 + random.nextInt(4));
        switch (random.nextInt(4)) {
          case 0 -> text.delete(at, to);
          case 1 -> text.insert(at, pieces.charAt(random.nextInt(pieces.length())));
          case 2 -> text.setCharAt(at, pieces.charAt(random.nextInt(pieces.length())));
          default -> {
            int from = random.nextInt(text.length());
            text.insert(at, text.substring(from, Math.min(text.length(), from + 20)));
          }
        }
      }
      try {
        Recipe recipe = Recipe.parse(text.toString(), "r.yaml");
        assertEquals(recipe, Recipe.parse(recipe.toYaml(), "r.yaml"));
        accepted++;
      } catch (InputException e) {
        assertTrue(e.getMessage().startsWith("r.yaml: "), e.getMessage());
        assertTrue(e.getMessage().chars().noneMatch(c -> c < ' '), e.getMessage());
      } catch (RuntimeException e) {
        throw new AssertionError("text:\n" + text, e);
      }
    }
    assertTrue(accepted > rounds / 50 && accepted < rounds / 2, "accepted " + accepted);
  }

  @Test
  void deepAndLongTextsAreRefusedInOneLine() {
    for (String text :
        List.of(
            "seed: " + "[".repeat(20_000),
            "seed: " + "{a: ".repeat(20_000),
            "a".repeat(1_000_000) + ": 1",
            "seed: " + "1".repeat(5000),
            "loss: {scale: " + "1".repeat(5000) + "}",
            "- ".repeat(3000))) {
      String message = refusal(text);
      assertTrue(message.length() < 600, message);
    }
  }

  /** A default or a range that cannot be read, or a setting that says nothing, is a fault. */
  @Test
  void everySettingIsDeclaredWithASentence() {
    List<Key> settings = Recipe.SETTINGS.settings("");
    assertEquals(100, settings.size());
    for (Key key : settings) {
      assertTrue(key.setting().value().endsWith("."), key.name() + ": " + key.setting().value());
      boolean hasDefault = !key.setting().byDefault().isEmpty();
      assertTrue(hasDefault || key.setting().value().contains("null"), key.name());
    }
  }

  @Test
  void theShortFormGivesTheSameRecipe() {
    for (String name : Recipe.SHIPPED) {
      Recipe recipe = Recipe.shipped(name);
      assertEquals(recipe, Recipe.parse(recipe.toString(), name));
      assertTrue(!recipe.toString().contains("null"), recipe::toString);
    }
    Recipe small = Recipe.defaults().with("model.width=8", "run.batch=32");
    assertEquals(
        "# recipe %s; settings that are not here have their defaults%n".formatted(small.hash())
            + "model:\n  width: 8\nrun:\n  batch: 32\n",
        small.toString());
  }
}
