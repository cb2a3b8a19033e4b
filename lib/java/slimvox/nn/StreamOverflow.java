package slimvox.nn;

import slimvox.backend.Grid;

/**
 * A sum of a stream of a fixed type is larger than the type holds: the forward pass has to be done
 * again with a larger step. Nothing but the contents of its tensors has changed.
 */
public final class StreamOverflow extends RuntimeException {
  private final transient Grid grid;

  StreamOverflow(Grid grid, String place) {
    super("%s: a stream reached %g in steps of %g".formatted(place, grid.largest(), grid.step()));
    this.grid = grid;
  }

  /**
   * Doubles the step.
   *
   * @return false if that is of no help, as the stream is not finite
   */
  public boolean raiseStep() {
    grid.setStep(2 * grid.step());
    return grid.largest() < Float.MAX_VALUE;
  }
}
