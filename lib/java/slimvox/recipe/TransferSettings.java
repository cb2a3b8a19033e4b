package slimvox.recipe;

import java.nio.file.Path;

/**
 * Section {@code transfer} of a {@link Recipe}: what a run takes over from trained networks.
 *
 * <p>Relative paths start at the working directory.
 *
 * @param from checkpoint whose network this one starts with, for example the float network that a
 *     binary one starts with, or the first of two steps. What only this network has (shifts and
 *     slopes of a binary one) keeps its own start; everything else must be there. The classifier is
 *     taken over too if it was trained with the same corpus. Default null: a new network
 * @param teacher checkpoint of a network whose embeddings this one's are pulled towards, of the
 *     same size from the same bins. Default null: none
 * @param weight factor of the teacher's loss, 1 - cosine, beside the classifier's. Default null: 1
 *     with a teacher
 */
public record TransferSettings(String from, String teacher, Double weight) {
  /** Nothing is taken over. */
  static final TransferSettings NONE = new TransferSettings(null, null, null);

  public TransferSettings {
    if (from != null) InvalidSetting.text("transfer.from", from);
    if (teacher != null) InvalidSetting.text("transfer.teacher", teacher);
    if (weight != null) {
      if (teacher == null) {
        throw new InvalidSetting("transfer.weight", weight + " has no effect without a teacher");
      }
      InvalidSetting.above("transfer.weight", weight, 0);
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
