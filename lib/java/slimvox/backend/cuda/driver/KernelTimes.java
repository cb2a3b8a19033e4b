package slimvox.backend.cuda.driver;

import static jcuda.driver.CUevent_flags.CU_EVENT_DEFAULT;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUevent;
import jcuda.driver.JCudaDriver;
import slimvox.backend.Hardware.KernelTime;
import slimvox.backend.cuda.libraries.CublasProducts;
import slimvox.backend.cuda.libraries.Cudnn;

/**
 * How long kernels take: an event lies behind each launch, and the time from one event to the next
 * is the later kernel's. Copies, and the time that the card had nothing to do, so count with the
 * kernel behind them.
 */
final class KernelTimes {
  private record Mark(String kernel, CUevent event) {}

  private final CudaContext context;
  private final List<Mark> marks = new ArrayList<>();

  /** Begins; the context's thread calls. */
  KernelTimes(CudaContext context) {
    this.context = context;
    mark(null);
  }

  /** A kernel was launched. */
  void mark(String kernel) {
    CUevent event = new CUevent();
    context.check(JCudaDriver.cuEventCreate(event, CU_EVENT_DEFAULT), "cuEventCreate");
    marks.add(new Mark(kernel, event));
    context.check(JCudaDriver.cuEventRecord(event, context.stream()), "cuEventRecord");
  }

  /** Waits for the kernels; by kernel, the longest first. */
  List<KernelTime> read() {
    context.synchronize("timing kernels");
    Map<String, KernelTime> all = new LinkedHashMap<>();
    float[] ms = new float[1];
    for (int i = 1; i < marks.size(); i++) {
      CUevent before = marks.get(i - 1).event;
      Mark mark = marks.get(i);
      context.check(JCudaDriver.cuEventElapsedTime(ms, before, mark.event), "cuEventElapsedTime");
      String name = mark.kernel.replaceFirst("^of ", ""); // a library's
      KernelTime one = new KernelTime(family(mark.kernel), name, 1, ms[0]);
      all.merge(mark.kernel, one, KernelTimes::sum);
    }
    marks.forEach(m -> JCudaDriver.cuEventDestroy(m.event));
    marks.clear();
    return all.values().stream()
        .sorted(Comparator.comparingDouble(KernelTime::ms).reversed())
        .toList();
  }

  private static KernelTime sum(KernelTime a, KernelTime b) {
    return new KernelTime(a.family(), a.kernel(), a.launches() + b.launches(), a.ms() + b.ms());
  }

  private static String family(String kernel) {
    return switch (kernel) {
      case CublasProducts.LAUNCH -> "matrix products";
      case Cudnn.LAUNCH -> "convolution";
      default -> KernelSource.of(kernel).family();
    };
  }
}
