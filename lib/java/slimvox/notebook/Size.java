package slimvox.notebook;

import java.util.Locale;

/**
 * How much work a notebook does: the environment variable {@code SLIMVOX_SIZE} chooses, so that the
 * same cells serve tests, a laptop and a GPU.
 */
public enum Size {
  /** seconds: every cell runs, the numbers mean nothing */
  SMOKE,
  /** minutes on two CPU cores, real speech */
  DEFAULT,
  /** the paper's corpus and models; needs VoxCeleb and a GPU */
  PAPER;

  /** The value for this size. */
  public <T> T pick(T smoke, T standard, T paper) {
    return switch (this) {
      case SMOKE -> smoke;
      case DEFAULT -> standard;
      case PAPER -> paper;
    };
  }

  /**
   * The size with this name; {@link #DEFAULT} for null or an empty name.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  static Size named(String name) {
    if (name == null || name.isBlank()) return DEFAULT;
    for (Size size : values()) {
      if (size.toString().equals(name)) return size;
    }
    throw new IllegalArgumentException(
        "SLIMVOX_SIZE is '" + name + "': set it to smoke, default or paper");
  }

  /** The name as {@code SLIMVOX_SIZE} has it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
