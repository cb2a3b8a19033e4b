package slimvox.backend.cpu.onednn;

import java.util.stream.Stream;

/** What is done for one geometry: one or more primitives of oneDNN and the workspace they share. */
sealed interface Operation permits ConvolutionPass, WeightGradientPass, MatrixProduct {
  /** Bytes of scratch memory that a run needs, aligned to 64. */
  long workspaceBytes();

  /** What it runs. */
  Stream<Primitive> primitives();

  /** Gives the library's objects back. */
  default void close() {
    primitives().forEach(Primitive::close);
  }

  /** Rounds bytes up to whole cache lines. */
  static long align(long bytes) {
    return (bytes + 63) & -64;
  }
}
