package slimvox.backend.cpu.onednn;

import java.lang.foreign.MemorySegment;
import slimvox.backend.Convolution;
import slimvox.backend.cpu.Lanes;

/** The pixels of its input that a strided 1x1 convolution sees. */
record StridedPixels(Convolution geometry) {
  /** The same convolution on these pixels alone. */
  Convolution dense() {
    Convolution g = geometry;
    int h = g.outHeight();
    int w = g.outWidth();
    return new Convolution(
        g.batch(), h, w, g.inChannels(), g.outChannels(), 1, 1, 1, 1, 0, 0, g.groups(), g.type());
  }

  /** Copies them from x, N x H x W x I, to dense, N x H' x W' x I. */
  void copy(long x, long dense) {
    Convolution g = geometry;
    long bytes = (long) g.inChannels() * g.type().bytes();
    long target = dense;
    for (int n = 0; n < g.batch(); n++) {
      for (int h = 0; h < g.outHeight(); h++) {
        long row = ((long) n * g.height() + (long) h * g.strideHeight()) * g.width();
        for (int w = 0; w < g.outWidth(); w++) {
          long source = x + (row + (long) w * g.strideWidth()) * bytes;
          MemorySegment.copy(Lanes.ALL, source, Lanes.ALL, target, bytes);
          target += bytes;
        }
      }
    }
  }
}
