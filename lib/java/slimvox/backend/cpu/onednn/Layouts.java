package slimvox.backend.cpu.onednn;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.global.dnnl;

/** Memory descriptors, alive until the primitives that need them have been described. */
final class Layouts implements AutoCloseable {
  private final List<Long> descriptors = new ArrayList<>();

  /** A float32 tensor of these lengths in the layout of a {@code dnnl_format_tag}. */
  long tagged(int tag, long... lengths) {
    return typed(dnnl.dnnl_f32, tag, lengths);
  }

  /** A float32 tensor by its lengths and its strides in elements. */
  long strided(long[] lengths, long... strides) {
    return kept(Dnnl.strided(lengths, strides));
  }

  /** A tensor of another type. */
  long typed(int type, int tag, long... lengths) {
    return kept(Dnnl.descriptor(type, tag, lengths));
  }

  private long kept(long descriptor) {
    descriptors.add(descriptor);
    return descriptor;
  }

  @Override
  public void close() {
    for (long descriptor : descriptors) Dnnl.destroy("memory_desc", descriptor);
  }
}
