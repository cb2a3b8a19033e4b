package slimvox.bench;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.Binary;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.Elementwise;
import slimvox.backend.Margin;
import slimvox.backend.Matrices;
import slimvox.backend.Normalization;
import slimvox.backend.Optimizers;
import slimvox.backend.Pooling;
import slimvox.backend.Rearrangement;
import slimvox.backend.packed.Packed;

/**
 * A device whose kernels have computed when they return, such as the processor, with a clock before
 * and behind each: convolutions by pass and geometry, all others by their operation.
 */
final class TimedDevice implements Device {
  private final Device device;
  private final Map<String, KernelTime> times = new LinkedHashMap<>();
  private boolean timing;

  private TimedDevice(Device device) {
    this.device = device;
  }

  /** The same memory and operations, timed. */
  static Backend of(Backend backend) {
    return new Backend(new TimedDevice(backend.device()), backend.ledger());
  }

  @Override
  public String name() {
    return device.name();
  }

  @Override
  public String description() {
    return device.description();
  }

  @Override
  public Memory memory() {
    return device.memory();
  }

  @Override
  public Elementwise.Kernels elementwise() {
    return timed(Elementwise.Kernels.class, device.elementwise());
  }

  @Override
  public Matrices.Kernels matrices() {
    return timed(Matrices.Kernels.class, device.matrices());
  }

  @Override
  public Convolutions.Kernels convolutions() {
    return timed(Convolutions.Kernels.class, device.convolutions());
  }

  @Override
  public Normalization.Kernels normalization() {
    return timed(Normalization.Kernels.class, device.normalization());
  }

  @Override
  public Rearrangement.Kernels rearrangement() {
    return timed(Rearrangement.Kernels.class, device.rearrangement());
  }

  @Override
  public Pooling.Kernels pooling() {
    return timed(Pooling.Kernels.class, device.pooling());
  }

  @Override
  public Margin.Kernels margin() {
    return timed(Margin.Kernels.class, device.margin());
  }

  @Override
  public Binary.Kernels binary() {
    return timed(Binary.Kernels.class, device.binary());
  }

  @Override
  public Optimizers.Kernels optimizers() {
    return timed(Optimizers.Kernels.class, device.optimizers());
  }

  @Override
  public Packed.Kernels packed() {
    return timed(Packed.Kernels.class, device.packed());
  }

  private <T> T timed(Class<T> kernels, T own) {
    String family = words(kernels.getEnclosingClass().getSimpleName());
    Object proxy =
        Proxy.newProxyInstance(
            kernels.getClassLoader(),
            new Class<?>[] {kernels},
            (_, method, arguments) -> call(family, own, method, arguments));
    return kernels.cast(proxy);
  }

  private Object call(String family, Object own, Method method, Object[] arguments)
      throws Throwable {
    long started = System.nanoTime();
    try {
      return method.invoke(own, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    } finally {
      double ms = (System.nanoTime() - started) / 1e6;
      // What returns something asks for sizes, or for NaN.
      if (timing && method.getReturnType() == void.class) {
        add(
            arguments[0] instanceof Convolution g
                ? new KernelTime("convolution " + words(method.getName()), geometry(g), 1, ms)
                : new KernelTime(family, words(method.getName()), 1, ms));
      }
    }
  }

  private void add(KernelTime one) {
    times.merge(
        one.family() + " " + one.kernel(),
        one,
        (a, b) ->
            new KernelTime(a.family(), a.kernel(), a.launches() + b.launches(), a.ms() + b.ms()));
  }

  /** As in {@code 3x3/2, 32 to 64, 80x200}: kernel and stride, channels, input. */
  private static String geometry(Convolution g) {
    int stride = Math.max(g.strideHeight(), g.strideWidth());
    return "%dx%d%s, %s, %dx%d"
        .formatted(
            g.kernelHeight(),
            g.kernelWidth(),
            stride == 1 ? "" : "/" + stride,
            g.groups() == 1
                ? g.inChannels() + " to " + g.outChannels()
                : g.inChannels() + " in " + g.groups() + " groups",
            g.height(),
            g.width());
  }

  /** {@code backwardData} as {@code backward data}. */
  private static String words(String camel) {
    return camel.replaceAll("(?<=[a-z0-9])(?=[A-Z])", " ").toLowerCase(Locale.ROOT);
  }

  @Override
  public void timeKernels() {
    times.clear();
    timing = true;
  }

  @Override
  public List<KernelTime> kernelTimes() {
    timing = false;
    return times.values().stream()
        .sorted(Comparator.comparingDouble(KernelTime::ms).reversed())
        .toList();
  }

  @Override
  public void close() {
    device.close();
  }
}
