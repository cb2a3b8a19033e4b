package slimvox.backend.cpu.onednn;

import java.util.List;

/** What is done for one geometry: one or more primitives of oneDNN and the workspace they share. */
sealed interface Operation permits ConvolutionPass, WeightGradientPass, MatrixProduct {
  /** Bytes of scratch memory that a run needs, aligned to 64. */
  long workspaceBytes();

  /** The library's names for what it runs. */
  List<String> implementations();

  /** Gives the library's objects back. */
  void close();

  /** Rounds bytes up to whole cache lines. */
  static long align(long bytes) {
    return (bytes + 63) & -64;
  }
}
