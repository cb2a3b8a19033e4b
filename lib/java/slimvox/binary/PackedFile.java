package slimvox.binary;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import slimvox.models.ModelSpec;
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
    return Safetensors.read(file).metadata().containsKey(MAGIC);
  }

  // ---- writing

  static void write(PackedModel model, Path file) {
    SafetensorsWriter out = Safetensors.writer();
    out.metadata(MAGIC, VERSION);
    out.metadata("model", model.name());
    out.metadata("width", Integer.toString(model.width()));
    out.metadata("bins", Integer.toString(model.bins()));
    out.metadata("pooling", model.pooling().key());
    out.metadata("scheme", model.scheme());
    out.metadata("head", model.head().form().key());
    List<String> lines = new ArrayList<>();
    for (PackedConvolution c : model.convolutions()) lines.add(line(c));
    out.metadata("layers", String.join("\n", lines));
    out.metadata(
        "sign_blocks",
        String.join(
            " ",
            model.blocks().stream().filter(PackedBlock::ofSigns).map(PackedBlock::name).toList()));
    model.origin().forEach((key, value) -> out.metadata(ORIGIN + key, value));
    for (PackedConvolution c : model.convolutions()) put(out, c);
    put(out, model.head());
    out.write(file);
  }

  private static String line(PackedConvolution c) {
    String line =
        String.format(
            Locale.ROOT,
            "%s %s %d %d %d %d %s",
            c.name(),
            c.form().key(),
            c.in(),
            c.out(),
            c.kernel(),
            c.stride(),
            c.activation().kind().name().toLowerCase(Locale.ROOT));
    return c.form() == WeightForm.W1A32 && c.alpha() != null ? line + " " + EXACT : line;
  }

  private static void put(SafetensorsWriter out, PackedConvolution c) {
    String weight = c.name() + ".weight";
    if (c.signs() != null) {
      out.put(weight, new long[] {c.out(), SignBits.rowBytes(c.filterSize())}, c.signs());
    } else {
      out.put(weight, new long[] {c.out(), c.in(), c.kernel(), c.kernel()}, c.weights());
    }
    row(out, c.name() + ".alpha", c.alpha());
    row(out, c.name() + ".mean", c.mean());
    row(out, c.name() + ".scale", c.scale());
    row(out, c.name() + ".shift", c.shift());
    row(out, c.name() + ".input_shift", c.inputShift());
    row(out, c.name() + ".slope", c.activation().slope());
    row(out, c.name() + ".before", c.activation().before());
    row(out, c.name() + ".after", c.activation().after());
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
      throw new InputException(
          path
              + ": not a packed model (its header has no "
              + MAGIC
              + "); make one with slimvox pack");
    }
    if (!version.equals(VERSION)) {
      throw new InputException(
          "%s: a packed model of format %s, this SlimVox reads %s"
              .formatted(path, version, VERSION));
    }
    return new Reader(file).model();
  }

  /** One file while it is read. */
  private static final class Reader {
    private final Safetensors file;
    private final Set<String> unread;

    Reader(Safetensors file) {
      this.file = file;
      this.unread = new HashSet<>(file.names());
    }

    PackedModel model() {
      Map<String, PackedConvolution> convolutions = new LinkedHashMap<>();
      for (String line : text("layers").split("\n")) {
        PackedConvolution c = convolution(line);
        if (convolutions.put(c.name(), c) != null) throw bad("layer " + c.name() + " twice");
      }
      PackedConvolution stem = convolutions.remove("conv1");
      if (stem == null) throw bad("no layer conv1");
      if (stem.in() != 1) throw bad("layer conv1 has " + stem.in() + " input channels, not 1");
      if (stem.stride() != 1) throw bad("layer conv1 has stride " + stem.stride() + ", not 1");
      if (stem.form() == WeightForm.W1A1) throw bad("layer conv1 takes signs, features have none");
      List<PackedBlock> blocks = blocks(convolutions);
      int bins = positive("bins", text("bins"));
      int channels = stem.out();
      int height = bins;
      for (PackedBlock block : blocks) {
        if (block.first().in() != channels) {
          throw bad(block.name() + " takes " + block.first().in() + " channels of " + channels);
        }
        channels = block.second().out();
        height = block.first().outLength(height);
      }
      ModelSpec.Pooling pooling = choice("pooling", ModelSpec.Pooling.class, text("pooling"));
      if (pooling == ModelSpec.Pooling.ASTP) throw bad("pooling astp has no packed form");
      int pooled = pooling == ModelSpec.Pooling.GSP ? channels : channels * height;
      PackedHead head = head(2 * pooled);
      Map<String, String> origin = new HashMap<>();
      file.metadata()
          .forEach(
              (k, v) -> {
                if (k.startsWith(ORIGIN)) origin.put(k.substring(ORIGIN.length()), v);
              });
      if (!unread.isEmpty())
        throw bad("unknown tensor " + unread.stream().sorted().findFirst().get());
      int width = positive("width", text("width"));
      return new PackedModel(
          text("model"), width, bins, pooling, text("scheme"), stem, blocks, head, origin);
    }

    private List<PackedBlock> blocks(Map<String, PackedConvolution> rest) {
      Set<String> names = new java.util.LinkedHashSet<>();
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
        try {
          blocks.add(new PackedBlock(name, ofSigns.contains(name), first, second, shortcut));
        } catch (IllegalArgumentException e) {
          throw bad(e.getMessage());
        }
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
      if (kernel > 3) throw bad(name + ": kernel " + kernel + ", 1 or 3 are possible");
      int stride = positive(name, words[5]);
      if (stride > 2) throw bad(name + ": stride " + stride + ", 1 or 2 are possible");
      var kind = choice(name, ChannelActivation.Kind.class, words[6]);
      boolean exact = words.length == 8 || form != WeightForm.W1A32;
      String weight = name + ".weight";
      byte[] signs =
          form.isBinary() ? signs(weight, out, Math.multiplyExact(in, kernel * kernel)) : null;
      float[] weights = form.isBinary() ? null : floats(weight, out, in, kernel, kernel);
      boolean shifted = kind == ChannelActivation.Kind.RPRELU;
      boolean sloped = shifted || kind == ChannelActivation.Kind.PRELU;
      ChannelActivation activation =
          new ChannelActivation(
              kind,
              sloped ? floats(name + ".slope", out) : null,
              shifted ? floats(name + ".before", out) : null,
              shifted ? floats(name + ".after", out) : null);
      try {
        return new PackedConvolution(
            name,
            form,
            in,
            out,
            kernel,
            stride,
            signs,
            weights,
            exact && form.isBinary() ? floats(name + ".alpha", out) : null,
            exact ? floats(name + ".mean", out) : null,
            floats(name + ".scale", out),
            floats(name + ".shift", out),
            file.has(name + ".input_shift") ? floats(name + ".input_shift", in) : null,
            activation);
      } catch (IllegalArgumentException e) {
        throw bad(e.getMessage());
      }
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
      if (!file.dtype(name).equals(type) || !Arrays.equals(file.shape(name), shape)) {
        throw bad(
            "tensor %s is %s %s, the layer needs %s %s"
                .formatted(
                    name,
                    file.dtype(name),
                    Arrays.toString(file.shape(name)),
                    type,
                    Arrays.toString(shape)));
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

    private InputException bad(String why) {
      return new InputException(
          file.file() + ": damaged packed model: " + why + "; make it again with slimvox pack");
    }
  }
}
