package slimvox.notebook;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;

/**
 * Sends outputs to the kernel that runs this JVM, a {@code JavaKernel} of JJava.
 *
 * <p>Its jar is not on Maven Central, so the methods that are needed are looked up by name.
 */
final class KernelDisplay implements Display {
  /**
   * An entry of a bundle that is no media type: the width of the picture on the page, in pixels.
   */
  static final String PICTURE_WIDTH = "picture width";

  private static final String NAME = "JJava";

  private final Object kernel;
  private final Object stream;
  private final Class<?> data;
  private final Method display;
  private final Method update;

  private KernelDisplay() throws ReflectiveOperationException {
    kernel = type("org.dflib.jjava.kernel.JavaNotebookStatics").getMethod("kernel").invoke(null);
    if (kernel == null) throw new ClassNotFoundException(NAME + " is there but does not run");
    data = type("org.dflib.jjava.jupyter.kernel.display.DisplayData");
    Object io = kernel.getClass().getMethod("getIO").invoke(kernel);
    stream = io.getClass().getField("display").get(io);
    display = kernel.getClass().getMethod("display", data);
    update = stream.getClass().getMethod("updateDisplay", String.class, data);
    renderLastExpressions();
  }

  /** From now on the last expression of a cell is shown as {@link Views} says. */
  private void renderLastExpressions() throws ReflectiveOperationException {
    Object renderer = kernel.getClass().getMethod("getRenderer").invoke(kernel);
    Object registration =
        renderer
            .getClass()
            .getMethod("createRegistration", Class.class)
            .invoke(renderer, Object.class);
    Class<?> function = type(data.getPackageName() + ".RenderFunction");
    Object render =
        Proxy.newProxyInstance(
            function.getClassLoader(), new Class<?>[] {function}, this::answered);
    registration.getClass().getMethod("register", function).invoke(registration, render);
  }

  /** All outputs for an object but the last are shown at once; that one is the cell's result. */
  private Object answered(Object self, Method method, Object[] arguments)
      throws ReflectiveOperationException {
    if (!method.getName().equals("render")) {
      return switch (method.getName()) {
        case "hashCode" -> System.identityHashCode(self);
        case "equals" -> self == arguments[0];
        default -> "render";
      };
    }
    List<Map<String, String>> outputs = Views.of(arguments[0]);
    outputs.subList(0, outputs.size() - 1).forEach(this::show);
    Object result = arguments[1].getClass().getMethod("getOutputContainer").invoke(arguments[1]);
    result.getClass().getMethod("assign", data).invoke(result, message(outputs.getLast(), null));
    return null;
  }

  /** The running kernel's display, or null if no kernel runs. */
  static Display find() {
    try {
      return new KernelDisplay();
    } catch (ReflectiveOperationException e) {
      return null;
    }
  }

  private static Class<?> type(String name) throws ClassNotFoundException {
    try {
      return Class.forName(name);
    } catch (ClassNotFoundException e) {
      return Class.forName(name, true, ClassLoader.getSystemClassLoader());
    }
  }

  @Override
  public void show(String id, Map<String, String> bundle) {
    call(display, kernel, message(bundle, id));
  }

  @Override
  public void update(String id, Map<String, String> bundle) {
    call(update, stream, id, message(bundle, id));
  }

  @Override
  public String kernel() {
    return NAME;
  }

  private Object message(Map<String, String> bundle, String id) {
    try {
      Object message = data.getConstructor().newInstance();
      Method put = data.getMethod("putData", String.class, Object.class);
      for (var entry : bundle.entrySet()) {
        if (!entry.getKey().equals(PICTURE_WIDTH)) {
          put.invoke(message, entry.getKey(), entry.getValue());
        }
      }
      if (bundle.containsKey(PICTURE_WIDTH)) {
        data.getMethod("putMetaData", String.class, Object.class)
            .invoke(
                message, "image/png", Map.of("width", Integer.parseInt(bundle.get(PICTURE_WIDTH))));
      }
      if (id != null) data.getMethod("setDisplayId", String.class).invoke(message, id);
      return message;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(NAME + " has changed its display methods: " + e, e);
    }
  }

  /** A thread that is asked to end cannot use the kernel's sockets, so that it is asked later. */
  private void call(Method method, Object target, Object... arguments) {
    boolean stopped = Thread.interrupted();
    try {
      method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause().getClass().getSimpleName().equals("ZMQException")) {
        stopped = true; // asked meanwhile; this output is lost, the last one comes afterwards
        return;
      }
      if (e.getCause() instanceof RuntimeException cause) throw cause;
      throw new IllegalStateException(e.getCause());
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(NAME + " does not let its display be used: " + e, e);
    } finally {
      if (stopped) Thread.currentThread().interrupt();
    }
  }
}
