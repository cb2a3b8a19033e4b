package slimvox.backend.dry;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.Matrices.Product;

/**
 * No arithmetic and no memory: only shapes and the ledger.
 *
 * <p>The same code that trains runs on it in milliseconds at any size, and leaves the same ledger.
 * Workspaces are the other device's own affair, so a dry device asks one for their sizes, or counts
 * none. A new operation needs nothing here.
 */
public final class DryDevice implements Device {
  private final Device sizes;
  private long multiplyAdds;

  /** Counts no workspaces. */
  public DryDevice() {
    this(null);
  }

  /** Counts the workspaces that {@code sizes} would use; nothing is run on it. */
  public DryDevice(Device sizes) {
    this.sizes = sizes;
  }

  /** Multiply-adds of the convolutions (forward) and matrix products asked for so far. */
  public long multiplyAdds() {
    return multiplyAdds;
  }

  @Override
  public String name() {
    return "dry";
  }

  @Override
  public String description() {
    return sizes == null ? "shapes and ledger only" : "shapes and ledger of " + sizes.name();
  }

  /** Allocates nothing; whether batches are staged is the other device's affair. */
  @Override
  public Memory memory() {
    return new Memory() {
      @Override
      public boolean stages() {
        return sizes != null && sizes.memory().stages();
      }
    };
  }

  @Override
  public long ownBytes() {
    return sizes == null ? 0 : sizes.ownBytes();
  }

  @Override
  public boolean takes(DataType type) {
    return sizes == null || sizes.takes(type);
  }

  @Override
  public Families kernels() {
    Families asked = sizes == null ? Families.NONE : sizes.kernels();
    return asked.wrapped(this::asking);
  }

  /** Kernels whose questions, of workspaces and layouts, the other device's answer. */
  private <K> K asking(Class<K> kernels, K asked) {
    InvocationHandler handler =
        (kernel, method, arguments) -> {
          Class<?> answer = method.getReturnType();
          if (answer == void.class) count(method.getName(), arguments[0]);
          if (answer != long.class && answer != boolean.class) {
            return InvocationHandler.invokeDefault(kernel, method, arguments);
          }
          try {
            return method.invoke(asked, arguments);
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    Class<?>[] types = {kernels};
    return kernels.cast(Proxy.newProxyInstance(kernels.getClassLoader(), types, handler));
  }

  private void count(String operation, Object of) {
    if (of instanceof Product p) multiplyAdds += (long) p.m() * p.n() * p.k();
    if (of instanceof Convolution g && operation.startsWith("forward")) {
      multiplyAdds += g.multiplyAdds();
    }
  }

  /** Leaves the device that gave the sizes open. */
  @Override
  public void close() {}
}
