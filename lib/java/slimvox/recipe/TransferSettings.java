package slimvox.recipe;

import java.nio.file.Path;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/**
 * Section {@code transfer} of a {@link Recipe}: what a run takes over from trained networks.
 *
 * <p>Relative paths start at the working directory.
 */
public record TransferSettings(
    @Setting(
            value =
                "Checkpoint whose network this one starts with, for example the float network that"
                    + " a binary one starts with, or the first of two steps. What only this network"
                    + " has (shifts and slopes of a binary one) keeps its own start; everything"
                    + " else must be there. A reversible network takes over from an ordinary one"
                    + " what has the same shape, and says what that was. The classifier is taken"
                    + " over too if it was trained with the same corpus. null: a new network.",
            flag = "--init")
        String from,
    @Setting(
            "Checkpoint of a network whose embeddings this one's are pulled towards, of the same"
                + " size from the same bins. null: none.")
        String teacher,
    @Setting(
            value =
                "Factor of the teacher's loss, 1 - cosine, beside the classifier's. null: 1 with a"
                    + " teacher.",
            range = ">0")
        Double weight) {
  public TransferSettings {
    if (weight != null && teacher == null) {
      throw new InvalidSetting("transfer.weight", weight + " has no effect without a teacher");
    }
  }

  /** The file to start from; null for none. */
  public Path fromFile() {
    return from == null ? null : Path.of(from);
  }

  /** The teacher's file; null for none. */
  public Path teacherFile() {
    return teacher == null ? null : Path.of(teacher);
  }

  /** The factor of the teacher's loss. */
  public double teacherWeight() {
    return weight == null ? 1 : weight;
  }
}
