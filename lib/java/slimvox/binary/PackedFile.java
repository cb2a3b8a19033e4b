package slimvox.binary;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
import slimvox.models.ModelSpec;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/**
 * The packed file: safetensors, whose metadata begin with {@code slimvox.packed = 1}.
 *
 * <p>Metadata: {@code model, width, bins, pooling, scheme, head}; {@code layers}, one line for each
 * convolution, {@code NAME FORM IN OUT KERNEL STRIDE ACTIVATION}, with {@code exact} at the end
 * where W1A32 is not folded; the names of blocks of signs in {@code sign_blocks}; {@code origin.*}.
 *
 * <p>Tensors of a convolution: {@code NAME.weight}, U8 of out x {@link SignBits} row or F32 of out
 * x in x kernel x kernel; {@code .alpha, .mean, .scale, .shift, .input_shift, .slope, .before,
 * .after}, F32, those that it has. Of the embedding layer: {@code seg_1.weight} (F32, I8 or U8),
 * {@code .scale}, {@code .bias}.
 */
final class PackedFile {
  private static final String MAGIC = "slimvox.packed";
  private static final String VERSION = "1";
  private static final String ORIGIN = "origin.";
  private static final String EXACT = "exact";

  private PackedFile() {}

  static boolean isPacked(Path file) {
    return Safetensors.open(file).metadata().containsKey(MAGIC);
  }

  // ---- writing

  static void write(PackedModel model, Path file) {
    SafetensorsWriter out = Safetensors.writer();
    out.metadata(MAGIC, VERSION);
    ModelSpec spec = model.spec();
    out.metadata("model", spec.name());
    out.metadata("width", Integer.toString(spec.width()));
    out.metadata("bins", Integer.toString(spec.bins()));
    out.metadata("pooling", Key.of(spec.pooling()));
    out.metadata("scheme", model.scheme());
    out.metadata("head", model.head().form().key());
    out.metadata("layers", joined("\n", model.convolutions().stream().map(PackedFile::line)));
    out.metadata(
        "sign_blocks",
        joined(" ", model.blocks().stream().filter(PackedBlock::ofSigns).map(PackedBlock::name)));
    // In an order of their own: a map's would make other bytes every time.
    new TreeMap<>(model.origin()).forEach((key, value) -> out.metadata(ORIGIN + key, value));
    for (PackedConvolution c : model.convolutions()) put(out, c);
    put(out, model.head());
    out.write(file);
  }

  private static String joined(String by, Stream<String> words) {
    return words.collect(Collectors.joining(by));
  }

  private static String line(PackedConvolution c) {
    LayerShape s = c.shape();
    String activation = c.activation().kind().name().toLowerCase(Locale.ROOT);
    Stream<Object> words =
        Stream.of(s.name(), s.form().key(), s.in(), s.out(), s.kernel(), s.stride(), activation);
    String line = joined(" ", words.map(Object::toString));
    return s.form() == WeightForm.W1A32 && c.alpha() != null ? line + " " + EXACT : line;
  }

  private static void put(SafetensorsWriter out, PackedConvolution c) {
    LayerShape s = c.shape();
    String weight = s.name() + ".weight";
    if (c.signs() != null) {
      out.put(weight, new long[] {s.out(), SignBits.rowBytes(s.filterSize())}, c.signs());
    } else {
      out.put(weight, new long[] {s.out(), s.in(), s.kernel(), s.kernel()}, c.weights());
    }
    row(out, s.name() + ".alpha", c.alpha());
    row(out, s.name() + ".mean", c.mean());
    row(out, s.name() + ".scale", c.scale());
    row(out, s.name() + ".shift", c.shift());
    row(out, s.name() + ".input_shift", c.inputShift());
    row(out, s.name() + ".slope", c.activation().slope());
    row(out, s.name() + ".before", c.activation().before());
    row(out, s.name() + ".after", c.activation().after());
  }

  private static void row(SafetensorsWriter out, String name, float[] values) {
    if (values != null) out.put(name, new long[] {values.length}, values);
  }

  private static void put(SafetensorsWriter out, PackedHead head) {
    String weight = PackedHead.NAME + ".weight";
    long[] matrix = {head.out(), head.in()};
    switch (head.form()) {
      case FLOAT32 -> out.put(weight, matrix, head.weights());
      case INT8 -> out.put(weight, "I8", matrix, MemorySegment.ofArray(head.codes()));
      default ->
          out.put(weight, new long[] {head.out(), SignBits.rowBytes(head.in())}, head.codes());
    }
    row(out, PackedHead.NAME + ".scale", head.scale());
    row(out, PackedHead.NAME + ".bias", head.bias());
  }

  // ---- reading

  static PackedModel read(Path path) {
    Safetensors file = Safetensors.read(path);
    String version = file.metadata().get(MAGIC);
    if (version == null) {
      throw InputException.at(
          path, "not a packed model (its header has no %s); make one with slimvox pack", MAGIC);
    }
    if (!version.equals(VERSION)) {
      throw InputException.at(
          path, "a packed model of format %s, this SlimVox reads %s", version, VERSION);
    }
    try {
      return new Reader(file).model();
    } catch (IllegalArgumentException e) {
      throw InputException.at(
          path, "damaged packed model: %s; make it again with slimvox pack", e.getMessage());
    }
  }

  /** One file while it is read; what is wrong with it is an {@link IllegalArgumentException}. */
  private static final class Reader {
    private final Safetensors file;
    private final SortedSet<String> unread;

    Reader(Safetensors file) {
      this.file = file;
      this.unread = new TreeSet<>(file.names());
    }

    PackedModel model() {
      Map<String, PackedConvolution> convolutions = new LinkedHashMap<>();
      for (String line : text("layers").split("\n")) {
        PackedConvolution c = convolution(line);
        String name = c.shape().name();
        if (convolutions.put(name, c) != null) throw bad("layer " + name + " twice");
      }
      PackedConvolution stem = convolutions.remove("conv1");
      if (stem == null) throw bad("no layer conv1");
      LayerShape shape = stem.shape();
      if (shape.in() != 1) throw bad("layer conv1 has " + shape.in() + " input channels, not 1");
      if (shape.stride() != 1) throw bad("layer conv1 has stride " + shape.stride() + ", not 1");
      if (shape.takesSigns()) throw bad("layer conv1 takes signs, features have none");
      List<PackedBlock> blocks = blocks(convolutions);
      int bins = positive("bins", text("bins"));
      int channels = shape.out();
      int height = bins;
      for (PackedBlock block : blocks) {
        LayerShape first = block.first().shape();
        if (first.in() != channels) {
          throw bad(block.name() + " takes " + first.in() + " channels of " + channels);
        }
        channels = first.out();
        height = first.outLength(height);
      }
      ModelSpec.Pooling pooling = choice("pooling", ModelSpec.Pooling.class, text("pooling"));
      if (pooling == ModelSpec.Pooling.ASTP) throw bad("pooling astp has no packed form");
      int pooled = pooling == ModelSpec.Pooling.GSP ? channels : channels * height;
      PackedHead head = head(2 * pooled);
      Map<String, String> origin = new HashMap<>();
      for (var entry : file.metadata().entrySet()) {
        String key = entry.getKey();
        if (key.startsWith(ORIGIN)) origin.put(key.substring(ORIGIN.length()), entry.getValue());
      }
      if (!unread.isEmpty()) throw bad("unknown tensor " + unread.first());
      int width = positive("width", text("width"));
      ModelSpec spec =
          ModelSpec.of(
              text("model"),
              "width=" + width,
              "bins=" + bins,
              "embeddingSize=" + head.out(),
              "pooling=" + Key.of(pooling));
      return new PackedModel(spec, text("scheme"), stem, blocks, head, origin);
    }

    private List<PackedBlock> blocks(Map<String, PackedConvolution> rest) {
      Set<String> names = new LinkedHashSet<>();
      for (String name : rest.keySet()) {
        int dot = name.indexOf('.', name.indexOf('.') + 1);
        if (dot < 0) throw bad("layer " + name + " belongs to no block");
        names.add(name.substring(0, dot));
      }
      Set<String> ofSigns = new HashSet<>(Arrays.asList(text("sign_blocks").split(" ")));
      List<PackedBlock> blocks = new ArrayList<>();
      for (String name : names) {
        PackedConvolution first = rest.remove(name + ".conv1");
        PackedConvolution second = rest.remove(name + ".conv2");
        if (first == null || second == null) throw bad("block " + name + " is incomplete");
        PackedConvolution shortcut = rest.remove(name + ".shortcut.0");
        blocks.add(new PackedBlock(name, ofSigns.contains(name), first, second, shortcut));
      }
      if (!rest.isEmpty()) throw bad("layer " + rest.keySet().iterator().next() + " is unknown");
      for (String name : ofSigns) {
        if (!name.isEmpty() && !names.contains(name)) throw bad("no block " + name + " of signs");
      }
      return blocks;
    }

    private PackedConvolution convolution(String line) {
      String[] words = line.split(" ");
      if (words.length != 7 && !(words.length == 8 && words[7].equals(EXACT))) {
        throw bad("layer line '" + line + "' is not NAME FORM IN OUT KERNEL STRIDE ACTIVATION");
      }
      String name = words[0];
      WeightForm form = choice(name, WeightForm.class, words[1]);
      int in = positive(name, words[2]);
      int out = positive(name, words[3]);
      int kernel = positive(name, words[4]);
      int stride = positive(name, words[5]);
      var kind = choice(name, ChannelActivation.Kind.class, words[6]);
      boolean binary = form.isBinary();
      boolean exact = words.length == 8 || form != WeightForm.W1A32;
      boolean shifted = kind == ChannelActivation.Kind.RPRELU;
      boolean sloped = shifted || kind == ChannelActivation.Kind.PRELU;
      LayerShape shape = new LayerShape(name, form, in, out, kernel, stride);
      return new PackedConvolution(
          shape,
          binary ? signs(name + ".weight", out, shape.filterSize()) : null,
          binary ? null : floats(name + ".weight", out, in, kernel, kernel),
          exact && binary ? floats(name + ".alpha", out) : null,
          exact ? floats(name + ".mean", out) : null,
          floats(name + ".scale", out),
          floats(name + ".shift", out),
          file.has(name + ".input_shift") ? floats(name + ".input_shift", in) : null,
          new ChannelActivation(
              kind,
              sloped ? floats(name + ".slope", out) : null,
              shifted ? floats(name + ".before", out) : null,
              shifted ? floats(name + ".after", out) : null));
    }

    private PackedHead head(int in) {
      WeightForm form = choice("head", WeightForm.class, text("head"));
      if (form == WeightForm.W1A1) throw bad("head w1a1 is not possible");
      String bias = PackedHead.NAME + ".bias";
      String weight = PackedHead.NAME + ".weight";
      if (!file.has(bias)) throw bad("no tensor " + bias);
      if (file.shape(bias).length != 1) throw bad("tensor " + bias + " is not a row of values");
      int out = positive(bias, Long.toString(file.shape(bias)[0]));
      return new PackedHead(
          form,
          in,
          out,
          form == WeightForm.FLOAT32 ? floats(weight, out, in) : null,
          switch (form) {
            case FLOAT32 -> null;
            case INT8 -> bytes(weight, "I8", out, in);
            default -> signs(weight, out, in);
          },
          form == WeightForm.FLOAT32 ? null : floats(PackedHead.NAME + ".scale", out),
          floats(bias, out));
    }

    // ---- tensors

    private float[] floats(String name, long... shape) {
      require(name, "F32", shape);
      return file.floats(name);
    }

    private byte[] bytes(String name, String type, long... shape) {
      require(name, type, shape);
      return file.bytes(name);
    }

    private byte[] signs(String name, int rows, int weights) {
      byte[] signs = bytes(name, "U8", rows, SignBits.rowBytes(weights));
      if (!SignBits.endsInZeros(signs, weights)) {
        throw bad(
            "tensor %s: padding bits after the %d weights of a filter are not 0"
                .formatted(name, weights));
      }
      return signs;
    }

    private void require(String name, String type, long... shape) {
      if (!file.has(name)) throw bad("no tensor " + name);
      unread.remove(name);
      String found = file.dtype(name) + " " + Arrays.toString(file.shape(name));
      String needed = type + " " + Arrays.toString(shape);
      if (!found.equals(needed)) {
        throw bad("tensor %s is %s, the layer needs %s".formatted(name, found, needed));
      }
    }

    // ---- metadata

    private String text(String key) {
      String value = file.metadata().get(key);
      if (value == null) throw bad("its header has no '" + key + "'");
      return value;
    }

    private int positive(String what, String digits) {
      try {
        int value = Integer.parseInt(digits);
        if (value > 0 && value < 1 << 20) return value;
      } catch (NumberFormatException e) {
        // falls through to the same message
      }
      throw bad(what + ": '" + digits + "' is no size");
    }

    private <E extends Enum<E>> E choice(String what, Class<E> type, String key) {
      for (E value : type.getEnumConstants()) {
        if (value.name().equals(key.toUpperCase(Locale.ROOT))) return value;
      }
      throw bad(what + ": '" + key + "' is unknown");
    }

    private static IllegalArgumentException bad(String why) {
      return new IllegalArgumentException(why);
    }
  }
}
