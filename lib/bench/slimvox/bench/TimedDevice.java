package slimvox.bench;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Device;
import slimvox.backend.Hardware.KernelTime;

/**
 * A device whose kernels have computed when they return, such as the processor, with a clock before
 * and behind each: convolutions by pass and geometry, all others by their operation.
 */
final class TimedDevice {
  private final Map<String, KernelTime> times = new LinkedHashMap<>();
  private boolean timing;

  private TimedDevice() {}

  /** The same memory and operations, timed. */
  static Backend of(Backend backend) {
    TimedDevice clock = new TimedDevice();
    InvocationHandler handler =
        (_, method, arguments) -> clock.answer(backend.device(), method, arguments);
    return new Backend(proxy(Device.class, handler), backend.ledger());
  }

  private Object answer(Device device, Method method, Object[] arguments) throws Throwable {
    switch (method.getName()) {
      case "timeKernels" -> {
        times.clear();
        timing = true;
        return null;
      }
      case "kernelTimes" -> {
        timing = false;
        return times.values().stream()
            .sorted(Comparator.comparingDouble(KernelTime::ms).reversed())
            .toList();
      }
      case "kernels" -> {
        return device.kernels().wrapped(this::timed);
      }
      default -> {
        return invoke(device, method, arguments);
      }
    }
  }

  private static Object invoke(Object own, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(own, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    Object proxy = Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler);
    return type.cast(proxy);
  }

  private <K> K timed(Class<K> kernels, K own) {
    String family = words(kernels.getEnclosingClass().getSimpleName());
    return proxy(kernels, (_, method, arguments) -> call(family, own, method, arguments));
  }

  private Object call(String family, Object own, Method method, Object[] arguments)
      throws Throwable {
    long started = System.nanoTime();
    try {
      return invoke(own, method, arguments);
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
}
