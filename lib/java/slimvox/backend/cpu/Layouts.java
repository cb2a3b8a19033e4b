package slimvox.backend.cpu;

import java.util.ArrayList;
import java.util.List;

/** Memory descriptors, alive until the primitives that need them have been described. */
final class Layouts implements AutoCloseable {
  private final List<Long> descriptors = new ArrayList<>();

  /** A tensor of these lengths in the layout of a {@code dnnl_format_tag}. */
  long tagged(int tag, long... lengths) {
    return keep(Dnnl.descriptor(tag, lengths));
  }

  /** A tensor of these lengths with these strides, in elements. */
  long strided(long[] lengths, long[] strides) {
    return keep(Dnnl.strided(lengths, strides));
  }

  private long keep(long descriptor) {
    descriptors.add(descriptor);
    return descriptor;
  }

  @Override
  public void close() {
    for (long descriptor : descriptors) Dnnl.destroy("memory_desc", descriptor);
  }
}
