package slimvox.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import slimvox.backend.DeviceException;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.Launcher;

/**
 * Starts kernels on a card; they are compiled for it once and then come from the {@link
 * KernelCache}.
 *
 * <p>One thread at a time may launch.
 */
final class NvrtcLauncher implements Launcher, AutoCloseable {
  private static final int MOST_ARGUMENTS = 64;

  private final CudaContext context;
  private final Map<String, CUfunction> kernels = new HashMap<>();
  private final List<CUmodule> modules = new ArrayList<>();
  private final Arena arena = Arena.ofShared();
  private final MemorySegment values = arena.allocate(8L * MOST_ARGUMENTS, 16);
  private final MemorySegment addresses = arena.allocate(8L * MOST_ARGUMENTS, 16); // of the values
  private final Pointer parameters; // the address of those

  /**
   * Loads all kernels, compiling those that the cache does not have.
   *
   * @throws DeviceException if a kernel does not compile: file, line and reason
   */
  NvrtcLauncher(CudaContext context, KernelCompiler compiler, List<KernelSource> sources) {
    this.context = context;
    parameters = CudaContext.pointer(addresses);
    KernelCache compiled;
    try {
      compiled = new KernelCache(CacheFolder.of("cuda"));
    } catch (IOException e) {
      throw new DeviceException("no folder for compiled kernels: " + e.getMessage(), e);
    }
    context.enter();
    // The compiler works on several sources at once; most of the time none is missing.
    Map<KernelSource, byte[]> code = new ConcurrentHashMap<>();
    sources.parallelStream().forEach(s -> code.put(s, code(compiled, compiler, s)));
    for (KernelSource source : sources) load(source, code.get(source), compiled, compiler);
  }

  private static byte[] code(KernelCache cache, KernelCompiler compiler, KernelSource source) {
    return cache.get(compiler.name(source), compiler.key(source), () -> compiler.compile(source));
  }

  private void load(KernelSource source, byte[] code, KernelCache cache, KernelCompiler compiler) {
    CUmodule module = new CUmodule();
    int status = JCudaDriver.cuModuleLoadData(module, code);
    if (status != CUresult.CUDA_SUCCESS && status != CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      // Whole, but not what this driver takes: compile it anew, once.
      cache.drop(compiler.name(source), compiler.key(source));
      status = JCudaDriver.cuModuleLoadData(module, code(cache, compiler, source));
    }
    context.check(status, "loading the kernels of " + source.path());
    modules.add(module);
    for (String name : source.kernels()) {
      CUfunction kernel = new CUfunction();
      context.check(
          JCudaDriver.cuModuleGetFunction(kernel, module, name), "loading kernel " + name);
      kernels.put(name, kernel);
    }
  }

  @Override
  public void launch(String name, Grid grid, Object... arguments) {
    CUfunction kernel = kernels.get(name);
    if (kernel == null) throw new IllegalArgumentException("no kernel '" + name + "'");
    Object[] passed = Launcher.values(arguments);
    context.queue(() -> launch(kernel, name, grid, passed), name, grid, passed);
  }

  private void launch(CUfunction kernel, String name, Grid grid, Object[] passed) {
    for (int i = 0; i < passed.length; i++) {
      addresses.setAtIndex(JAVA_LONG, i, values.address() + 8L * i);
      switch (passed[i]) {
        case Long l -> values.set(JAVA_LONG, 8L * i, l);
        case Integer n -> values.set(JAVA_INT, 8L * i, n);
        case Float f -> values.set(JAVA_FLOAT, 8L * i, f);
        case MemorySegment struct -> addresses.setAtIndex(JAVA_LONG, i, struct.address());
        default ->
            throw new IllegalArgumentException(
                "argument %d of kernel %s is a %s"
                    .formatted(i, name, passed[i].getClass().getSimpleName()));
      }
    }
    context.check(
        JCudaDriver.cuLaunchKernel(
            kernel,
            grid.x(),
            grid.y(),
            grid.z(),
            grid.blockX(),
            grid.blockY(),
            grid.blockZ(),
            0,
            context.stream(),
            parameters,
            null),
        "launching kernel " + name);
    context.launched(name);
  }

  @Override
  public void close() {
    for (CUmodule module : modules) JCudaDriver.cuModuleUnload(module);
    modules.clear();
    kernels.clear();
    arena.close();
  }
}
