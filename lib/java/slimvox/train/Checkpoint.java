package slimvox.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.backend.Tensor;
import slimvox.data.Corpus;
import slimvox.models.ModelSpec;
import slimvox.models.OrdinaryWeights;
import slimvox.models.Weights;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.recipe.Recipe;
import slimvox.recipe.TransferSettings;
import slimvox.settings.Key;
import slimvox.settings.Setting;
import slimvox.step.CheckpointFile;
import slimvox.step.TrainingStep;
import slimvox.storage.InputException;
import slimvox.storage.Provenance;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.storage.Sha256;

/**
 * Everything a run needs to go on, in one safetensors file.
 *
 * <p>Tensors: the state of network and classifier under WeSpeaker's names, the optimizer's state
 * under {@code optimizer.}, codes of 8 bits and their scales as they are. Metadata: recipe, number
 * of steps taken, classes, corpus. All random numbers of a run follow from its seed and the step,
 * so that there is no other state. Files are written beside the old one and renamed, and carry
 * checksums, so that a killed run leaves whole files, and a damaged file is refused.
 */
public final class Checkpoint {
  private static final String PARALLEL = "module."; // before all names by PyTorch's DataParallel

  /** With the digits of any script, which earlier versions wrote in some locales. */
  private static final Pattern NAME = Pattern.compile("checkpoint-(\\p{Nd}{1,18})\\.safetensors");

  /** What binary networks have beyond float ones: thresholds of signs, slopes of activations. */
  private static final Pattern OWN_TO_BINARY =
      Pattern.compile("(.*\\.)?(conv\\d+\\.shift|act\\d+\\.(weight|shift|bias))");

  private static final String CORPUS = Provenance.DATA;
  private static final String TEACHER = "teacher_sha256";
  private static final String ROWS = CheckpointFile.CLASSIFIER + "weight"; // one a class

  /**
   * What a run reads beside its recipe.
   *
   * @param corpus hash of the training corpus
   * @param teacher hash of the teacher's file; null without one
   * @param earlier other recipes it was trained with before, each with the step it ended at; null
   *     without one
   */
  record Inputs(String corpus, String teacher, String earlier) {
    static Inputs of(Corpus train, TransferSettings transfer) {
      Path teacher = transfer.teacherFile();
      return new Inputs(train.sha256(), teacher == null ? null : Sha256.of(teacher), null);
    }

    /** Those of a run that goes on from a checkpoint. */
    Inputs after(Path checkpoint, Recipe recipe) {
      Safetensors file = Safetensors.open(checkpoint);
      String earlier = file.metadata().get(Provenance.EARLIER);
      String last = CheckpointFile.recipe(file).hash();
      if (!last.equals(recipe.hash())) {
        String ended = last + "@" + file.metadata().get("steps");
        earlier = earlier == null ? ended : earlier + " " + ended;
      }
      return new Inputs(corpus, teacher, earlier);
    }
  }

  private Checkpoint() {}

  /** Where the checkpoint after {@code step} steps lies. */
  public static Path file(Path folder, long step) {
    return folder.resolve(String.format(Locale.ROOT, "checkpoint-%07d.safetensors", step));
  }

  /** The checkpoints of a folder, the latest last. */
  public static List<Path> list(Path folder) {
    if (!Files.isDirectory(folder)) return List.of();
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(f -> NAME.matcher(f.getFileName().toString()).matches() && !Files.isDirectory(f))
          .sorted(Comparator.comparingLong(Checkpoint::step))
          .toList();
    } catch (IOException e) {
      throw new InputException(folder + ": cannot be listed: " + e.getMessage(), e);
    }
  }

  /** The latest checkpoint of a folder. */
  public static Optional<Path> latest(Path folder) {
    return list(folder).reversed().stream().findFirst();
  }

  /** How many steps a run had taken when it wrote a checkpoint, by the file's name. */
  public static long step(Path file) {
    Matcher m = NAME.matcher(file.getFileName().toString());
    if (!m.matches()) throw new IllegalArgumentException(file + " is no checkpoint");
    return Long.parseLong(m.group(1));
  }

  /** Writes a checkpoint and removes the oldest beyond {@code run.keepCheckpoints}. */
  static Path save(Path folder, Recipe recipe, TrainingStep step, Inputs inputs, int classes) {
    long steps = step.optimizer().steps();
    Path file = file(folder, steps);
    write(file, recipe, step, inputs, classes);
    List<Path> all = list(folder).stream().filter(f -> step(f) <= steps).toList();
    for (Path old : all.subList(0, Math.max(0, all.size() - recipe.run().keepCheckpoints()))) {
      try {
        Files.deleteIfExists(old);
      } catch (IOException e) {
        throw new InputException(old + ": cannot be removed: " + e.getMessage(), e);
      }
    }
    return file;
  }

  /** Writes a checkpoint. */
  static void write(Path file, Recipe recipe, TrainingStep step, Inputs inputs, int classes) {
    SafetensorsWriter writer = Safetensors.writer();
    Weights.save(step.state(), "", writer);
    OptimizerStateFile.write(step.optimizer(), writer);
    writer.metadata("format", "slimvox checkpoint 1");
    writer.metadata("recipe", recipe.toYaml());
    writer.metadata("steps", Long.toString(step.optimizer().steps()));
    writer.metadata("classes", Integer.toString(classes));
    writer.metadata(CORPUS, inputs.corpus());
    writer.metadata(Provenance.RECIPE, recipe.hash());
    writer.metadata(Provenance.SEED, Long.toString(recipe.seed()));
    writer.metadata(Provenance.CODE, Provenance.code());
    if (inputs.earlier() != null) writer.metadata(Provenance.EARLIER, inputs.earlier());
    if (inputs.teacher() != null) writer.metadata(TEACHER, inputs.teacher());
    writer.write(file);
  }

  /**
   * The recipe of a run.
   *
   * @param run its folder, or one of its checkpoints
   * @param settings that win over it
   * @throws InputException if there is no run
   */
  public static Recipe recipe(Path run, String... settings) {
    Path own = RunFolder.recipe(run);
    if (Files.isRegularFile(own)) return Recipe.read(own, settings);
    if (!Files.isDirectory(run) && Files.exists(run)) {
      return CheckpointFile.recipe(run).with(settings);
    }
    Path latest = latest(run).orElseThrow(() -> noRun(run)); // carries the recipe, too
    return CheckpointFile.recipe(latest).with(settings);
  }

  static InputException noRun(Path folder) {
    return InputException.at(
        folder, "holds no run to resume; start one: train RECIPE without --resume, Trainer.start");
  }

  /**
   * Fills a training step from a checkpoint.
   *
   * @return what is not held as in a run without a stop, a line each
   * @throws InputException if the file is damaged or belongs to another recipe or corpus; nothing
   *     was changed then
   */
  static List<String> load(Path path, Recipe recipe, Inputs inputs, TrainingStep step) {
    Safetensors file = CheckpointFile.open(path);
    Recipe earlier = CheckpointFile.recipe(file);
    requireSame(path, earlier, recipe);
    if (!inputs.corpus().equals(file.metadata().get(CORPUS))) {
      throw new InputException(
          path + ": the training corpus has changed since; restore it, or start a new run");
    }
    if (!Objects.equals(inputs.teacher(), file.metadata().get(TEACHER))) {
      throw InputException.at(
          path,
          "the teacher %s has changed since; restore it, or start a new run",
          recipe.transfer().teacher());
    }
    OptimizerStateFile state = new OptimizerStateFile(file, earlier.optimizer().state());
    state.check(step.optimizer());
    Weights.load(file, "", step.state(), name -> name.startsWith(CheckpointFile.OPTIMIZER));
    String note = state.load(step.optimizer(), recipe.optimizer().state());
    step.optimizer().restore(Long.parseLong(file.metadata().get("steps")));
    String precision =
        earlier.run().precision() == recipe.run().precision()
            ? null
            : "activations go on as %s, they were %s: the bits are not those of one run"
                .formatted(Key.of(recipe.run().precision()), Key.of(earlier.run().precision()));
    return Stream.of(note, precision).filter(Objects::nonNull).toList();
  }

  /**
   * Compares what has to stay in a run, see {@link Setting}. May change: how often things are
   * saved, and where they lie; with a note, how activations and the optimizer's state are held, the
   * length of the run, learning rate, decay and margin. The batch may change, too, after a run went
   * out of memory: steps are counted on, epochs by the new batch.
   *
   * @param file that the earlier recipe is in
   * @throws InputException naming the settings that differ
   */
  static void requireSame(Path file, Recipe earlier, Recipe recipe) {
    Predicate<Setting> stays = s -> s.decidesBits() && !s.mayChange();
    List<String> now = Recipe.SETTINGS.difference(earlier, recipe, stays);
    if (now.isEmpty()) return;
    throw InputException.at(
        file,
        "of a run with %s; %s cannot be had in it: leave that out, or start a run in another"
            + " folder",
        first(Recipe.SETTINGS.difference(recipe, earlier, stays)),
        first(now));
  }

  private static String first(List<String> settings) {
    int shown = Math.min(4, settings.size());
    String more = shown < settings.size() ? " and %d more".formatted(settings.size() - shown) : "";
    return String.join(" ", settings.subList(0, shown)) + more;
  }

  /**
   * Starts a network from that of another run, and its classifier too if it knows the same speakers
   * and has the same tensors; of one that knows them at several speeds, the rows of those as they
   * are, which are the first.
   *
   * @return what a reversible network takes over from an ordinary one; nothing of any other
   * @throws InputException if the file is damaged or of a network that this one cannot start from;
   *     nothing was changed then
   */
  static List<String> start(Path path, TrainingStep step, Inputs inputs, int classes) {
    Safetensors file = Safetensors.read(path);
    if (file.metadata().containsKey("recipe")) file.requireChecksums();
    int known =
        inputs.corpus().equals(file.metadata().get(CORPUS))
            ? Integer.parseInt(file.metadata().getOrDefault("classes", "0"))
            : 0;
    boolean parallel = file.names().stream().allMatch(name -> name.startsWith(PARALLEL));
    String prefix = parallel ? PARALLEL : "";
    boolean whole = known == classes && hasClassifier(file, prefix, step.state());
    StateDict state = whole ? step.state() : StateDict.of(step.network());
    ModelSpec spec = step.network().spec();
    String ordinary =
        OrdinaryWeights.areIn(file, spec) ? OrdinaryWeights.load(file, prefix, spec, state) : null;
    if (ordinary == null) {
      Weights.load(
          file,
          prefix,
          state,
          name -> OWN_TO_BINARY.matcher(name).matches(),
          CheckpointFile::isNotOfNetwork);
    }
    boolean rows =
        known > classes && known % classes == 0 && startRows(file, step.state(), known, classes);
    if (ordinary == null) return List.of();
    return List.of(rows ? ordinary + ", projection its first rows" : ordinary);
  }

  /** Whether a file has the tensors of this classifier and no others of one. */
  private static boolean hasClassifier(Safetensors file, String prefix, StateDict state) {
    Predicate<String> ofClassifier = name -> name.startsWith(CheckpointFile.CLASSIFIER);
    Set<String> wanted = state.names().stream().filter(ofClassifier).collect(Collectors.toSet());
    return file.names().stream()
            .filter(name -> name.startsWith(prefix + CheckpointFile.CLASSIFIER))
            .allMatch(name -> wanted.contains(name.substring(prefix.length())))
        && wanted.stream().allMatch(name -> Weights.fits(file, prefix + name, state, name));
  }

  private static boolean startRows(Safetensors file, StateDict state, int known, int classes) {
    Parameter weight = state.parameters().get(ROWS);
    if (weight == null || !file.has(ROWS)) return false;
    Tensor rows = weight.value();
    long[] shape = {known, rows.shape().size() / classes};
    if (rows.shape().get(0) != classes || !Arrays.equals(shape, file.shape(ROWS))) {
      return false;
    }
    int values = Math.toIntExact(rows.shape().size());
    rows.backend().ops().upload(Arrays.copyOf(file.floats(ROWS), values), rows);
    return true;
  }

  /**
   * Writes the mean of the latest checkpoints of a run, network and classifier without the
   * optimizer; counters are those of the latest.
   *
   * @param last how many
   * @throws InputException if there are fewer, or one is damaged or of another network
   */
  public static void average(Path folder, int last, Path out) {
    List<Path> all = list(folder);
    if (all.size() < last) {
      throw InputException.at(
          folder,
          (all.isEmpty()
              ? "holds no checkpoints; give the folder of a run"
              : "holds %d of %d checkpoints that are to be averaged; give --last %1$d, or train"
                  + " with run.keepCheckpoints=%2$d"),
          all.size(),
          last);
    }
    List<Safetensors> files =
        all.subList(all.size() - last, all.size()).stream().map(CheckpointFile::open).toList();
    Safetensors latest = files.getLast();
    SafetensorsWriter writer = Safetensors.writer();
    latest.metadata().forEach(writer::metadata);
    writer.metadata("averaged", Integer.toString(last));
    for (String name : latest.names()) {
      if (name.startsWith(CheckpointFile.OPTIMIZER)) continue;
      long[] shape = latest.shape(name);
      for (Safetensors file : files) {
        if (file.has(name) && Arrays.equals(shape, file.shape(name))) continue;
        throw InputException.at(
            file.file(), "tensor %s is not that of %s; average one run", name, latest.file());
      }
      if (!latest.dtype(name).equals("F32")) {
        writer.put(name, shape, latest.longs(name));
        continue;
      }
      double[] sums = new double[latest.floats(name).length];
      for (Safetensors file : files) {
        float[] values = file.floats(name);
        for (int i = 0; i < sums.length; i++) sums[i] += values[i];
      }
      float[] mean = new float[sums.length];
      for (int i = 0; i < mean.length; i++) mean[i] = (float) (sums[i] / last);
      writer.put(name, shape, mean);
    }
    writer.write(out);
  }
}
