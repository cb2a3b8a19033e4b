package slimvox.backend.cpu.onednn;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import slimvox.backend.Convolution;

/** A weight of {@code kernels} kernels with each turned by 180 degrees. */
@SuppressWarnings("restricted") // reads raw addresses
record MirroredKernel(int kernels, int kernelSize) {
  /** Of a depthwise convolution. */
  static MirroredKernel of(Convolution depthwise) {
    return new MirroredKernel(
        depthwise.groups(), depthwise.kernelHeight() * depthwise.kernelWidth());
  }

  long bytes() {
    return (long) kernels * kernelSize * Float.BYTES;
  }

  /** Copies a weight, turning its kernels. */
  void copy(long weight, long mirrored) {
    MemorySegment from = MemorySegment.ofAddress(weight).reinterpret(bytes());
    MemorySegment to = MemorySegment.ofAddress(mirrored).reinterpret(bytes());
    for (long first = 0; first < (long) kernels * kernelSize; first += kernelSize) {
      for (int i = 0; i < kernelSize; i++) {
        to.setAtIndex(
            JAVA_FLOAT, first + kernelSize - 1 - i, from.getAtIndex(JAVA_FLOAT, first + i));
      }
    }
  }
}
