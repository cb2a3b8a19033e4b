package slimvox.models;

import slimvox.backend.Backend;

/** A family of networks with its depths fixed: width, bins, embedding and pooling are free. */
public interface Architecture {
  /** Builds the network; parameters are not initialized. */
  Network build(ModelSpec spec, Backend backend);
}
