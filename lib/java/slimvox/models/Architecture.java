package slimvox.models;

import java.util.List;
import slimvox.backend.Backend;

/** A family of networks with its depths fixed: width, bins, embedding and pooling are free. */
public interface Architecture {
  /** Builds the network; parameters are not initialized. */
  Network build(ModelSpec spec, Backend backend);

  /**
   * The names of the convolutions that can be made binary, for example {@code layer1.0.conv1};
   * empty where none can.
   */
  default List<String> convolutions() {
    return List.of();
  }

  /** Whether reversible blocks can be computed in slices of their inner channels. */
  default boolean slices() {
    return true;
  }

  /** Whether blocks are basic ones of two 3x3 convolutions, the only ones that signs fit in. */
  default boolean hasBasicBlocks() {
    return false;
  }
}
