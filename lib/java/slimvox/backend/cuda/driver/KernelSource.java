package slimvox.backend.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One file of lib/cuda: a family of kernels that is compiled as one module.
 *
 * <p>A file may include {@link #headers()} and nothing else: give them to NVRTC by their names.
 * {@code path} is what compilers should be told as the file's name, so that an error names our
 * source.
 *
 * @param path for example {@code lib/cuda/convolution.cu}
 * @param text the source
 * @param kernels its {@code extern "C" __global__} functions, in order
 */
public record KernelSource(String path, String text, List<String> kernels) {
  private static final List<String> FILES =
      List.of(
          "elementwise.cu",
          "batchnorm.cu",
          "binary.cu",
          "pooling.cu",
          "margin.cu",
          "optimizer.cu",
          "quantized.cu",
          "rearrange.cu",
          "matrix.cu",
          "convolution.cu",
          "convolution_weight.cu",
          "grouped.cu",
          "packed.cu");
  private static final Pattern KERNEL =
      Pattern.compile(
          "extern \"C\" __global__ void\\s+(?:__launch_bounds__\\([^)]*\\)\\s*)?(\\w+)\\(");
  private static final List<KernelSource> SOURCES =
      FILES.stream().map(f -> of("lib/cuda/" + f, text(f))).toList();
  private static final SortedMap<String, String> HEADERS = new TreeMap<>();
  private static final Map<String, KernelSource> BY_KERNEL = new HashMap<>();

  static {
    for (String name : List.of("common.cuh", "tensor.cuh", "tile.cuh")) {
      HEADERS.put(name, text(name));
    }
    for (KernelSource source : SOURCES) {
      for (String kernel : source.kernels()) {
        if (BY_KERNEL.put(kernel, source) != null) {
          throw new IllegalStateException("two kernels are called " + kernel);
        }
      }
    }
  }

  /** All files, in a fixed order. */
  public static List<KernelSource> all() {
    return SOURCES;
  }

  /** The file that a kernel is in. */
  public static KernelSource of(String kernel) {
    KernelSource source = BY_KERNEL.get(kernel);
    if (source == null) throw new IllegalArgumentException("no kernel '" + kernel + "'");
    return source;
  }

  /** What the files may include: the texts by their names, in a fixed order. */
  public static SortedMap<String, String> headers() {
    return Collections.unmodifiableSortedMap(HEADERS);
  }

  /** A source with the kernels that its text has. */
  public static KernelSource of(String path, String text) {
    List<String> kernels = new ArrayList<>();
    Matcher m = KERNEL.matcher(text);
    while (m.find()) kernels.add(m.group(1));
    return new KernelSource(path, text, List.copyOf(kernels));
  }

  /** What its kernels are for, as tables of times call it. */
  String family() {
    String file = path.substring(path.lastIndexOf('/') + 1).replace(".cu", "");
    return switch (file) {
      case "convolution", "convolution_weight", "grouped" -> "convolution";
      case "matrix" -> "matrix products";
      case "batchnorm" -> "batch norm";
      case "optimizer", "quantized" -> "optimizer";
      case "margin" -> "loss";
      case "rearrange" -> "rearrangement";
      default -> file;
    };
  }

  private static String text(String file) {
    try (InputStream in = KernelSource.class.getResourceAsStream("/cuda/" + file)) {
      if (in == null) throw new IllegalStateException("the jar has no kernels in cuda/" + file);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cuda/" + file, e);
    }
  }
}
