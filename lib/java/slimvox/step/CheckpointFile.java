package slimvox.step;

import java.nio.file.Path;
import slimvox.backend.Backend;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.Weights;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/** What may be read of a run's checkpoint without the run: its recipe and its network. */
public final class CheckpointFile {
  /** Before the names of the optimizer's state. */
  public static final String OPTIMIZER = "optimizer.";

  /** Before the names of the classifier's state. */
  public static final String CLASSIFIER = "projection.";

  private CheckpointFile() {}

  /**
   * Loads the weights of a teacher.
   *
   * @throws InputException if the file is damaged or of another network
   */
  public static void loadTeacher(Path path, Network teacher) {
    Weights.load(open(path), "", teacher.state(), CheckpointFile::isNotOfNetwork);
  }

  /**
   * The teacher's network.
   *
   * @param recipe of the student that will learn from it
   * @throws InputException if the file is no checkpoint, its embeddings are of another size, or it
   *     hears other features
   */
  public static ModelSpec teacherSpec(Path path, Recipe recipe) {
    Recipe own = recipe(path);
    ModelSpec teacher = own.model();
    ModelSpec student = recipe.model();
    if (teacher.bins() != student.bins() || teacher.embeddingSize() != student.embeddingSize()) {
      throw InputException.at(
          path,
          "the teacher makes embeddings of %d values from %d bins, this network %d from %d; they"
              + " must agree",
          teacher.embeddingSize(),
          teacher.bins(),
          student.embeddingSize(),
          student.bins());
    }
    if (own.data().frameShiftMs() != recipe.data().frameShiftMs()
        || own.data().meanNormalization() != recipe.data().meanNormalization()) {
      throw InputException.at(
          path,
          "the teacher has data.frameShiftMs=%d and data.meanNormalization=%s; set the same",
          own.data().frameShiftMs(),
          own.data().meanNormalization());
    }
    return teacher;
  }

  /** Whether a tensor's name is of the classifier or the optimizer. */
  public static boolean isNotOfNetwork(String name) {
    return name.startsWith(CLASSIFIER) || name.startsWith(OPTIMIZER);
  }

  /**
   * Opens a checkpoint.
   *
   * @throws InputException if the file is damaged or no checkpoint
   */
  public static Safetensors open(Path path) {
    Safetensors file = Safetensors.read(path);
    if (!file.metadata().containsKey("recipe")
        || !file.metadata().getOrDefault("steps", "").matches("\\d{1,10}")) {
      throw InputException.at(
          path,
          "not a SlimVox checkpoint; it has no recipe in it; give a checkpoint-*.safetensors of"
              + " 'slimvox train', or a recipe");
    }
    return file.requireChecksums();
  }

  /** The recipe of an open checkpoint. */
  public static Recipe recipe(Safetensors file) {
    return Recipe.parse(file.metadata().get("recipe"), file.file() + ": its recipe");
  }

  /** The recipe of a checkpoint. */
  public static Recipe recipe(Path path) {
    return recipe(open(path));
  }

  /** Number of classes of a checkpoint's classifier; the default if it has none. */
  public static int classes(Path path, int byDefault) {
    Safetensors file = open(path);
    String weight = CLASSIFIER + "weight"; // a row a class
    return file.has(weight) ? (int) file.shape(weight)[0] : byDefault;
  }

  /**
   * Loads the network of a checkpoint, for embedding.
   *
   * @throws InputException if the file is damaged or no checkpoint
   */
  public static Network network(Path path, Backend backend) {
    Safetensors file = open(path);
    return backend.owning(
        () -> {
          Network network = Models.build(recipe(file).model(), backend);
          Weights.load(file, "", network.state(), CheckpointFile::isNotOfNetwork);
          return network;
        });
  }
}
