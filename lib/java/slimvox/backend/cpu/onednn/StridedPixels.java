package slimvox.backend.cpu.onednn;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import slimvox.backend.Convolution;

/** The pixels of its input that a strided 1x1 convolution sees. */
@SuppressWarnings("restricted") // reads raw addresses
record StridedPixels(Convolution geometry) {
  /** The same convolution on these pixels alone. */
  Convolution dense() {
    Convolution g = geometry;
    int h = g.outHeight();
    int w = g.outWidth();
    return new Convolution(
        g.batch(), h, w, g.inChannels(), g.outChannels(), 1, 1, 1, 1, 0, 0, g.groups());
  }

  /** Copies them from x, N x H x W x I, to dense, N x H' x W' x I. */
  void copy(long x, long dense) {
    Convolution g = geometry;
    int channels = g.inChannels();
    MemorySegment from = MemorySegment.ofAddress(x).reinterpret(g.inShape().size() * Float.BYTES);
    MemorySegment to =
        MemorySegment.ofAddress(dense).reinterpret(dense().inShape().size() * Float.BYTES);
    long target = 0;
    for (int n = 0; n < g.batch(); n++) {
      for (int h = 0; h < g.outHeight(); h++) {
        long row = ((long) n * g.height() + (long) h * g.strideHeight()) * g.width();
        for (int w = 0; w < g.outWidth(); w++) {
          long source = (row + (long) w * g.strideWidth()) * channels;
          for (int c = 0; c < channels; c++) {
            to.setAtIndex(JAVA_FLOAT, target++, from.getAtIndex(JAVA_FLOAT, source + c));
          }
        }
      }
    }
  }
}
