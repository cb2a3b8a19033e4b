package slimvox.study;

import slimvox.study.Experiment.Run;
import slimvox.train.Listener;

/** Told how the runs of an experiment get on, from any thread. */
public interface RunsProgress {
  /** Does nothing. */
  RunsProgress NONE = new RunsProgress() {};

  /** So many runs are to be made. */
  default void began(int total) {}

  /** Something that the user should know, one line. */
  default void noted(String note) {}

  /** A run has taken a step. */
  default void stepped(Run run, Listener.Step step) {}

  /** A run has ended, the last of {@code done}; summary null: no result, as noted before. */
  default void finished(Run run, Summary summary, int done) {}
}
