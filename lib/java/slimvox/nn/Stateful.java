package slimvox.nn;

import java.util.List;
import java.util.Objects;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/** What has parameters or other state, of its own or of its parts. */
public interface Stateful extends AutoCloseable {
  /** Its parts, in the order of {@link StateDict}. */
  default List<? extends Stateful> parts() {
    return List.of();
  }

  /** Those of {@code parts} that are not null. */
  static List<Stateful> present(Stateful... parts) {
    return Stream.of(parts).filter(Objects::nonNull).toList();
  }

  /** Lists parameters and other state in the order of {@link StateDict}. */
  default void describe(StateDict state) {
    for (Stateful part : parts()) part.describe(state);
  }

  /** Draws the initial parameters, the same for the same generator state. */
  default void initialize(RandomGenerator random) {
    for (Stateful part : parts()) part.initialize(random);
  }

  /** Returns parameters and state to the backend. */
  @Override
  default void close() {
    for (Stateful part : parts()) part.close();
  }
}
