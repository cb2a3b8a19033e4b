package slimvox.backend.cuda.driver;

import static slimvox.backend.DataType.FLOAT32;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.DeviceException;
import slimvox.backend.Matrices.Product;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.Cuda;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.libraries.Bindings;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.Environment;
import slimvox.memory.Category;
import slimvox.storage.InputException;

/** What {@link OpenCardTest} runs in processes of their own. */
public final class OpenCardProgram {
  private static final String SOURCE =
      """
      extern "C" __global__ void four_arguments(float* x, long long n, int i, float f) {}
      extern "C" __global__ void other(int i) {}
      """;

  private OpenCardProgram() {}

  private static OpenCard open(String source) {
    return Cuda.card(
        false,
        Cuda.cudnn(),
        List.of(new KernelSource("lib/cuda/test.cu", source, List.of("four_arguments", "other"))));
  }

  /** Compiles all of lib/cuda as the card's opening would, for a known and for a future card. */
  private static void compile() {
    Bindings.load(CudaLibraries.find(Environment.real()));
    for (int capability : new int[] {86, 89, 121}) {
      KernelCompiler compiler = new KernelCompiler(capability);
      int count = 0;
      String start = "";
      for (KernelSource source : KernelSource.all()) {
        byte[] code = compiler.compile(source);
        String head = new String(code, 0, 4, StandardCharsets.ISO_8859_1);
        start = head.equals("\u007fELF") ? "cubin" : head.startsWith("//") ? "PTX" : head;
        count += code.length > 1000 ? 1 : 0;
      }
      boolean all = count == KernelSource.all().size();
      System.out.println(
          compiler.version() + " " + compiler.options() + " all: " + all + " " + start);
    }
    try {
      new KernelCompiler(75)
          .compile(
              new KernelSource("lib/cuda/bad.cu", "\n__device__ int f() { return x; }", List.of()));
    } catch (DeviceException e) {
      say(e);
    }
  }

  public static void main(String[] arguments) {
    if (arguments[0].equals("compile")) {
      compile();
      return;
    }
    try (OpenCard card = open(arguments[0].equals("broken") ? SOURCE + "#error here\n" : SOURCE)) {
      switch (arguments[0]) {
        case "launch" -> launch(card);
        case "describe" -> describe(card);
        case "multiply" -> multiply(card);
        case "exhaust" -> exhaust(card);
        case "fault" -> fault(card);
        case "product" -> afterFault(card, product(card));
        case "convolution" -> afterFault(card, convolution(card, true));
        case "plan" -> afterFault(card, convolution(card, false));
        case "memory" -> memory(card);
        case "stage" -> stage(card);
        case "numbers" -> numbers(card);
        default -> {}
      }
    } catch (DeviceException | InputException e) {
      say(e);
    }
    if (arguments[0].equals("fault")) System.out.println("closed");
  }

  private static void say(Exception e) {
    System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
  }

  private static void describe(OpenCard card) {
    System.out.println(card.description());
    Cuda.find().details().forEach(System.out::println);
  }

  private static void launch(OpenCard card) {
    System.out.println(card.description());
    DeviceMemory memory = card.memory();
    long x = memory.allocate(40);
    card.launcher().launch("four_arguments", new Grid(2, 3, 4, 32, 2, 1), x, 5L, -7, 1.5f);
    float[] y = new float[5];
    memory.download(x, MemorySegment.ofArray(y));
    System.out.println("kernel gave " + Arrays.toString(y));

    byte[] there = new byte[20_000_000]; // more than both page-locked buffers
    new Random(1).nextBytes(there);
    byte[] back = new byte[there.length];
    long block = memory.allocate(there.length);
    memory.upload(MemorySegment.ofArray(there), block);
    memory.download(block, MemorySegment.ofArray(back));
    System.out.println(there.length + " bytes came back, equal: " + Arrays.equals(there, back));
    memory.fill(block, 0x01020304, 4, 1);
    memory.fill(block + 4, 0x9990102, 2, 1);
    memory.download(block, MemorySegment.ofArray(back));
    byte[] words = {4, 3, 2, 1, 2, 1};
    System.out.println("filled: " + Arrays.equals(back, 0, 6, words, 0, 6));
    memory.fill(block, 0, 1, 100);
    memory.copy(block + 100, block + 200, 50);
    memory.download(block, MemorySegment.ofArray(back));
    System.out.println(
        "zeroed: %s, copied: %s"
            .formatted(
                Arrays.equals(new byte[100], Arrays.copyOf(back, 100)),
                Arrays.equals(back, 200, 250, there, 100, 150)));
    System.out.printf(
        "blocks %d, total %d%n",
        card.driverMemory().get("blocks"), card.driverMemory().get("total"));
    memory.free(block);
  }

  private static void launchBoth(OpenCard card, long x) {
    card.launcher().launch("four_arguments", Grid.of(1, 32), x, 5L, 0, 1f);
    card.launcher().launch("other", Grid.of(1, 32), 1);
  }

  /** What is said where a library meets the error of a kernel. */
  private static void afterFault(OpenCard card, Runnable library) {
    launchBoth(card, card.memory().allocate(40));
    for (int i = 0; i < 2; i++) {
      try {
        library.run();
      } catch (DeviceException e) {
        say(e);
      }
    }
  }

  private static Runnable product(OpenCard card) {
    Product p = new Product(false, false, 2, 2, 2);
    long a = card.memory().allocate(48);
    long workspace = card.memory().allocate(card.cublas().workspace(p));
    return () -> card.cublas().multiply(p, a, a + 16, a + 32, false, workspace);
  }

  /**
   * A convolution by cuDNN on memory of its own.
   *
   * @param planned whether its algorithm is chosen now, not when this runs
   */
  private static Runnable convolution(OpenCard card, boolean planned) {
    Convolutions.Kernels all = card.convolutions(new Convolutions.Kernels() {});
    Convolution g = new Convolution(2, 9, 8, 8, 16, 1, 1, 2, 2, 0, 0, 1, FLOAT32);
    Device device =
        new Device() {
          @Override
          public String name() {
            return "cuda";
          }

          @Override
          public String description() {
            return card.description();
          }

          @Override
          public Memory memory() {
            return card.memory();
          }
        };
    Backend backend = new Backend(device);
    Tensor x = backend.allocate(Category.INPUT, "x", 2, 9, 8, 8);
    Tensor weight = backend.allocate(Category.PARAMETER, "w", 16, 8, 1, 1);
    Tensor y = backend.allocate(Category.ACTIVATION, "y", 2, 5, 4, 16);
    Tensor workspace = backend.allocate(Category.WORKSPACE, "scratch", 1 << 20);
    if (planned) all.backwardDataWorkspace(g);
    return () -> {
      all.backwardDataWorkspace(g);
      all.backwardData(g, y, weight, x, workspace);
    };
  }

  private static void memory(OpenCard card) {
    card.memory().allocate(20 << 20);
    for (int i = 0; i < 2; i++) {
      StringBuilder line = new StringBuilder();
      card.driverMemory().forEach((name, n) -> line.append(name + " " + (n >> 20) + " "));
      System.out.println(line.toString().strip());
    }
  }

  private static void stage(OpenCard card) {
    CardMemory memory = (CardMemory) card.memory();
    float[] values = integers(new Random(3), 5_000_000);
    float[] others = new float[values.length];
    long buffer = memory.allocate(4L * values.length);
    long x = memory.allocate(4L * values.length);
    float[] back = new float[values.length];
    memory.stage(values, buffer);
    boolean taken = memory.takeStaged(values, x);
    memory.download(x, MemorySegment.ofArray(back));
    System.out.println("taken: %s, equal: %s".formatted(taken, Arrays.equals(values, back)));
    System.out.println("twice: " + memory.takeStaged(values, x));
    memory.stage(values, buffer);
    System.out.println("others: " + memory.takeStaged(others, x));
    System.out.println("after others: " + memory.takeStaged(values, x));
    memory.stage(values, buffer);
    card.asOne(
        () -> {
          memory.upload(MemorySegment.ofArray(values), x);
          memory.stage(others, buffer);
        });
    memory.download(x, MemorySegment.ofArray(back));
    System.out.println("before the next: " + Arrays.equals(values, back));
  }

  /** Copies of two numbers, each as it was set before, in steps that run as one. */
  private static void numbers(OpenCard card) {
    int[][] set = {{1, 5}, {1, 6}, {1, 5}, {2, 5}, {2, 5}, {1, 6}};
    DeviceMemory memory = card.memory();
    long numbers = memory.allocate(8);
    long copies = memory.allocate(8L * set.length);
    for (int step = 0; step < 3; step++) {
      card.asOne(
          () -> {
            for (int i = 0; i < set.length; i++) {
              memory.number(numbers, set[i][0]);
              memory.number(numbers + 4, set[i][1]);
              memory.copy(numbers, copies + 8L * i, 8);
            }
          });
      int[] read = new int[2 * set.length];
      memory.download(copies, MemorySegment.ofArray(read));
      System.out.println(Arrays.toString(read));
    }
  }

  private static void multiply(OpenCard card) {
    int m = 5;
    int n = 3;
    int k = 7;
    double worst = 0;
    int count = 0;
    for (int bits = 0; bits < 12; bits++) {
      boolean ta = (bits & 1) != 0;
      boolean tb = (bits & 2) != 0;
      boolean accumulate = (bits & 4) != 0;
      boolean subtract = bits >= 8;
      Random random = new Random(bits);
      float[] a = integers(random, m * k);
      float[] b = integers(random, k * n);
      float[] c = integers(random, m * n);
      float[] wanted = c.clone();
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          float sum = 0;
          for (int l = 0; l < k; l++) {
            sum += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
          }
          float before = accumulate || subtract ? c[i * n + j] : 0;
          wanted[i * n + j] = subtract ? before - sum : before + sum;
        }
      }
      long onA = put(card, a);
      long onB = put(card, b);
      long onC = put(card, c);
      MatrixProducts products = card.cublas();
      Product product = new Product(ta, tb, m, n, k);
      long workspace = card.memory().allocate(products.workspace(product) + 64);
      if (subtract) products.subtract(product, onA, onB, onC, workspace + 64);
      else products.multiply(product, onA, onB, onC, accumulate, workspace + 64);
      card.memory().download(onC, MemorySegment.ofArray(c));
      for (int i = 0; i < c.length; i++) worst = Math.max(worst, Math.abs(c[i] - wanted[i]));
      count++;
    }
    System.out.println(count + " products, largest error " + worst);
  }

  private static float[] integers(Random random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = random.nextInt(-8, 9);
    return values;
  }

  private static long put(OpenCard card, float[] values) {
    long address = card.memory().allocate(4L * values.length);
    card.memory().upload(MemorySegment.ofArray(values), address);
    return address;
  }

  private static void exhaust(OpenCard card) {
    long first = card.memory().allocate(32 << 20);
    try {
      card.memory().allocate(40 << 20);
    } catch (OutOfDeviceMemoryException e) {
      say(e);
    }
    card.memory().free(first);
    System.out.println("free again: %.1f MiB".formatted(card.context().memory()[0] / 1048576.0));
  }

  private static void fault(OpenCard card) {
    long x = card.memory().allocate(40);
    launchBoth(card, x);
    for (int i = 0; i < 2; i++) {
      try {
        card.memory().download(x, MemorySegment.ofArray(new float[10]));
      } catch (DeviceException e) {
        say(e);
      }
    }
    card.memory().free(x);
  }
}
