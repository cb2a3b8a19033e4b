package slimvox.backend.dry;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import slimvox.backend.Binary;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Normalization;
import slimvox.backend.Optimizers;
import slimvox.backend.packed.Packed;

/**
 * No arithmetic and no memory: only shapes and the ledger.
 *
 * <p>The same code that trains runs on it in milliseconds at any size, and leaves the same ledger.
 * Workspaces are the other device's own affair, so a dry device asks one for their sizes, or counts
 * none. Families without workspaces are those of {@link Device}, which compute nothing; a new
 * operation needs nothing here.
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
  public Matrices.Kernels matrices() {
    return dry(Matrices.Kernels.class, sizes == null ? Device.super.matrices() : sizes.matrices());
  }

  @Override
  public Convolutions.Kernels convolutions() {
    return dry(
        Convolutions.Kernels.class,
        sizes == null ? Device.super.convolutions() : sizes.convolutions());
  }

  @Override
  public Normalization.Kernels normalization() {
    return dry(
        Normalization.Kernels.class,
        sizes == null ? Device.super.normalization() : sizes.normalization());
  }

  @Override
  public Binary.Kernels binary() {
    return dry(Binary.Kernels.class, sizes == null ? Device.super.binary() : sizes.binary());
  }

  @Override
  public Optimizers.Kernels optimizers() {
    return dry(
        Optimizers.Kernels.class, sizes == null ? Device.super.optimizers() : sizes.optimizers());
  }

  @Override
  public Packed.Kernels packed() {
    return dry(Packed.Kernels.class, sizes == null ? Device.super.packed() : sizes.packed());
  }

  /**
   * A family's kernels that compute nothing. What answers with a size or a yes or no is a question
   * about workspaces and layouts, which the other device's kernels answer; the rest does what it
   * does where nothing is overridden.
   */
  private <K> K dry(Class<K> family, K sizes) {
    InvocationHandler handler =
        (self, method, arguments) -> {
          Class<?> answer = method.getReturnType();
          if (answer == long.class || answer == boolean.class) return ask(method, sizes, arguments);
          count(method, arguments);
          return InvocationHandler.invokeDefault(self, method, arguments);
        };
    return family.cast(
        Proxy.newProxyInstance(family.getClassLoader(), new Class<?>[] {family}, handler));
  }

  private static Object ask(Method method, Object sizes, Object[] arguments) throws Throwable {
    try {
      return method.invoke(sizes, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private void count(Method method, Object[] arguments) {
    if (arguments[0] instanceof Product p) multiplyAdds += (long) p.m() * p.n() * p.k();
    if (arguments[0] instanceof Convolution g && method.getName().startsWith("forward")) {
      multiplyAdds += g.multiplyAdds();
    }
  }

  /** Leaves the device that gave the sizes open. */
  @Override
  public void close() {}
}
