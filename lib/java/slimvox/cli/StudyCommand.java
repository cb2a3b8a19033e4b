package slimvox.cli;

/** A command that {@code slimvox-study.jar} offers as a service: what trains needs it not. */
public abstract class StudyCommand extends Subcommand {
  /** The exit code after Ctrl-C. */
  protected static final int INTERRUPTED = Failures.INTERRUPTED;

  /** A command without short options of recipes' settings. */
  protected StudyCommand() {}
}
