package slimvox.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Convolutions.Epilogue;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.backend.packed.Packed;
import slimvox.memory.Category;
import slimvox.optim.DynamicTree;

/**
 * Every public operation with every tensor of every wrong type: refused before a device sees it.
 *
 * <p>A new operation needs a line in {@link #calls()}: {@link #everyTensorOfEveryOperationIsHere}
 * fails without. Nothing is computed, on a dry device that asks the CPU for its sizes.
 */
class OperationTypesTest {
  @AutoClose private static final CpuDevice cpu = CpuDevice.open(1);

  /** The CPU, as if its convolutions normalized what they read. */
  private static final Device normalizing =
      but(Device.class, cpu, "kernels", normalizing(cpu.kernels()));

  private static final Backend dry = new Backend(new DryDevice(normalizing));

  /**
   * The places of arguments that may be of any type of real numbers. Some share one type: there a
   * test of all places at once is enough to see that a wrong one is refused.
   */
  private static final Map<String, Set<Integer>> ANY_REAL =
      Map.ofEntries(
          Map.entry("convert", Set.of(0, 1)),
          Map.entry("axpy", Set.of(1, 2)),
          Map.entry("addRounded", Set.of(1, 3)),
          Map.entry("relu", Set.of(0, 1)),
          Map.entry("reluBackward", Set.of(0, 1, 2)),
          Map.entry("tanh", Set.of(0, 1)),
          Map.entry("tanhBackward", Set.of(0, 1, 2)),
          Map.entry("gelu", Set.of(0, 1)),
          Map.entry("geluBackward", Set.of(0, 1, 2)),
          Map.entry("isFinite", Set.of(0)),
          Map.entry("firstNotFinite", Set.of(0)),
          Map.entry("markNotFinite", Set.of(0)),
          Map.entry("addToRows", Set.of(1)),
          Map.entry("columnSums", Set.of(0)),
          Map.entry("forwardAdd", Set.of(3)),
          Map.entry("forwardSubtract", Set.of(3)),
          Map.entry("batchStatistics", Set.of(0)),
          Map.entry("batchNormalize", Set.of(0, 2, 4)),
          Map.entry("batchNormalizeBackward", Set.of(0, 1, 2, 7, 8)),
          Map.entry("statisticsPooling", Set.of(0)),
          Map.entry("statisticsPoolingBackward", Set.of(0, 3)),
          Map.entry("framesFirst", Set.of(0)),
          Map.entry("framesFirstBackward", Set.of(1)),
          Map.entry("signActivation", Set.of(0, 2)),
          Map.entry("signActivationBackward", Set.of(0, 2, 3)),
          Map.entry("scaleRows", Set.of(1)),
          Map.entry("prelu", Set.of(0, 3)),
          Map.entry("preluBackward", Set.of(0, 3, 4)));

  /** Operations whose tensors share any type of real numbers. */
  private static final Set<String> ONE_REAL =
      Set.of("sliceChannels", "writeChannels", "spaceToDepth", "depthToSpace");

  private static boolean mayBe(Call call, int place, DataType type) {
    return type.isReal() && ANY_REAL.getOrDefault(call.operation, Set.of()).contains(place);
  }

  /** The same but for what one method returns. */
  private static Device.Families normalizing(Device.Families of) {
    return new Device.Families(
        of.elementwise(),
        of.matrices(),
        but(Convolutions.Kernels.class, of.convolutions(), "normalizes", true),
        of.normalization(),
        of.rearrangement(),
        of.pooling(),
        of.margin(),
        of.binary(),
        of.optimizers(),
        of.packed());
  }

  private static <T> T but(Class<T> type, T own, String name, Object returned) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (_, method, arguments) ->
                method.getName().equals(name) ? returned : method.invoke(own, arguments)));
  }

  /** The arguments of one call that is right; a tensor that may be null is there in some call. */
  record Call(String operation, Object... arguments) {
    @Override
    public String toString() {
      return operation;
    }
  }

  private static Tensor floats(int... lengths) {
    return tensor(DataType.FLOAT32, lengths);
  }

  private static Tensor tensor(DataType type, int... lengths) {
    return dry.allocate(Category.ACTIVATION, "x", type, Shape.of(lengths));
  }

  private static Quantized quantized() {
    return new Quantized(tensor(DataType.UINT8, 300), floats(2), DynamicTree.signed(), 256);
  }

  static List<Call> calls() {
    Convolution g = new Convolution(2, 8, 10, 16, 32, 3, 3, 1, 1, 1, 1, 1, FLOAT32);
    Convolution halves = g.with(2, DataType.BFLOAT16);
    Tensor halfIn = tensor(DataType.BFLOAT16, 2, 8, 10, 16);
    Tensor halfOut = tensor(DataType.BFLOAT16, 2, 8, 10, 32);
    Tensor in = floats(2, 8, 10, 16);
    Tensor in2 = floats(2, 8, 10, 16);
    Tensor in3 = floats(2, 8, 10, 16);
    Tensor in4 = floats(2, 8, 10, 16);
    Tensor out = floats(2, 8, 10, 32);
    Tensor weight = floats(32, 16, 3, 3);
    Tensor prepacked = floats(Math.toIntExact(cpu.kernels().convolutions().prepackedBytes(g) / 4));
    Tensor c = floats(16);
    Channels channels = new Channels(c, c, c, c);
    Running running = new Running(c, c, 1e-5f, 0.1f);
    Channels moving = new Channels(c, c, c, c, running);
    Channels channelsWithoutBeta = new Channels(c, c, c, null);
    Tensor deep = floats(2, 4, 5, 64);
    Tensor pooled = floats(2, 256);
    Tensor frames = floats(2, 10, 128);
    Tensor rows = floats(320);
    Tensor matrix = floats(6, 4);
    Tensor labels = tensor(DataType.INT32, 6);
    Tensor six = floats(6);
    Tensor filters = floats(32);
    Channels outChannels = new Channels(floats(32), floats(32), floats(32), floats(32));
    Tensor bordered = floats(2, 10, 12, 16);
    Tensor p = floats(300);
    AngularMargin margin = new AngularMargin(0.2f, 32, false);
    BinaryGradient gradient = BinaryGradient.values()[0];
    SgdStep sgd = new SgdStep(0.1f, 0.9f, 0, 0, true, false);
    AdamStep adam = new AdamStep(0.1, 0.9, 0.999, 1e-8, 0, true, 1);
    return List.of(
        new Call("upload", new float[6], six),
        new Call("upload", new int[6], labels),
        new Call("upload", new byte[6], tensor(DataType.UINT8, 6)),
        new Call("floats", six),
        new Call("ints", labels),
        new Call("bytes", tensor(DataType.UINT8, 6)),
        new Call("fill", labels, 1f),
        new Call("copy", in, in2),
        new Call("copy", labels, tensor(DataType.INT32, 6)),
        new Call("convert", in, tensor(DataType.BFLOAT16, 2, 8, 10, 16)),
        new Call("axpy", 1f, in, in2),
        new Call("addRounded", 1f, in, 0.5f, in2, floats(1)),
        new Call("addRounded", 1f, in, 0.5f, in2, null),
        new Call("addRounded", 1f, in, 0.5f, in2),
        new Call("relu", in, in2),
        new Call("reluBackward", in, in2, in3),
        new Call("tanh", in, in2),
        new Call("tanhBackward", in, in2, in3),
        new Call("isFinite", in),
        new Call("gelu", in, in2),
        new Call("geluBackward", in, in2, in3),
        new Call("firstNotFinite", List.of(in, in2)),
        new Call("markNotFinite", in, tensor(DataType.INT32, 1)),
        new Call("matmul", false, false, matrix, floats(4, 5), floats(6, 5), false),
        new Call("addToRows", c, in),
        new Call("columnSums", in, c, false),
        new Call("forward", g, in, weight, out),
        new Call("forward", g, in, channels, weight, out),
        new Call("backwardWeight", g, in, channels, out, weight, false),
        new Call("forward", halves, halfIn, weight, halfOut),
        new Call("backwardData", halves, halfOut, weight, halfIn),
        new Call("backwardWeight", halves, halfIn, halfOut, weight, false),
        new Call("prepack", g, weight, outChannels, filters, prepacked),
        new Call("forwardPrepacked", g, in, prepacked, new Epilogue(filters, true, true), out),
        new Call("forwardAdd", g, in, weight, out),
        new Call("forwardSubtract", g, in, weight, out),
        new Call("backwardData", g, out, weight, in),
        new Call("backwardWeight", g, in, out, weight, false),
        new Call("batchStatistics", in, 1e-5f, c, c),
        new Call("updateRunningStatistics", c, c, 160L, running),
        new Call("invStdOf", c, 1e-5f, c),
        new Call("batchNormalize", in, channels, in2, true, in3),
        new Call(
            "batchNormalizeBackward", in, in2, in3, channelsWithoutBeta, c, c, false, null, in3),
        new Call("batchNormalizeBackward", in, null, in3, moving, c, c, false, null, in3),
        new Call(
            "batchNormalizeBackward", in, in2, in3, channelsWithoutBeta, c, c, false, in3, in4),
        new Call("sliceChannels", in, 3, floats(2, 8, 10, 5)),
        new Call("writeChannels", floats(2, 8, 10, 5), 3, in),
        new Call("spaceToDepth", in, deep),
        new Call("depthToSpace", deep, in),
        new Call("statisticsPooling", in, 1e-7f, pooled),
        new Call("statisticsPoolingBackward", in, pooled, floats(2, 256), in2),
        new Call("framesFirst", in, frames),
        new Call("framesFirstBackward", frames, in, false),
        new Call("softmaxOverFrames", frames, frames),
        new Call("softmaxOverFramesBackward", frames, frames, frames),
        new Call("weightedStatistics", frames, frames, 1e-7f, pooled),
        new Call(
            "weightedStatisticsBackward", frames, frames, pooled, 1e-7f, pooled, frames, frames),
        new Call("normalizeRows", matrix, matrix, six),
        new Call("normalizeRowsBackward", matrix, six, matrix, matrix),
        new Call("rowwiseDot", matrix, matrix, six),
        new Call("marginLogits", matrix, labels, margin, matrix),
        new Call("marginLogitsBackward", matrix, labels, margin, matrix, matrix),
        new Call("softmaxCrossEntropy", matrix, labels, six, matrix),
        new Call("argmaxRows", matrix, labels),
        new Call("binarizeFilters", weight, true, filters, weight),
        new Call("binarizeFiltersBackward", weight, filters, gradient, weight, weight, false),
        new Call("signActivation", in, c, bordered),
        new Call("signActivation", in, null, bordered),
        new Call("signActivationBackward", in, c, bordered, in2),
        new Call("scaleRows", c, in),
        new Call("prelu", in, c, c, in2),
        new Call("prelu", in, null, c, in2),
        new Call("preluBackward", in, c, c, in2, in2, c, false),
        new Call("sgd", sgd, p, p, p),
        new Call("sgd", sgd, p, p, null),
        new Call("adam", adam, p, p, p, p),
        new Call("quantize", p, quantized()),
        new Call("sgdQuantized", sgd, p, p, quantized()),
        new Call("adamQuantized", adam, p, p, quantized(), quantized()));
  }

  /** Operations and its families, but for packed inference, which is about planes. */
  private static List<Object> families() throws IllegalAccessException {
    List<Object> families = new ArrayList<>(List.of(dry.ops()));
    for (Field f : Operations.class.getFields()) {
      if (f.getType() != Packed.class) families.add(f.get(dry.ops()));
    }
    return families;
  }

  /** A public method that takes something with a tensor in it, and what it is called on. */
  private record Operation(Object family, Method method) {
    void call(Object[] arguments) throws ReflectiveOperationException {
      method.invoke(family, arguments);
    }
  }

  private static List<Operation> operations() throws IllegalAccessException {
    List<Operation> operations = new ArrayList<>();
    for (Object family : families()) {
      for (Method m : family.getClass().getDeclaredMethods()) {
        if (Modifier.isPublic(m.getModifiers())
            && Arrays.stream(m.getParameterTypes()).anyMatch(OperationTypesTest::holds)) {
          operations.add(new Operation(family, m));
        }
      }
    }
    return operations;
  }

  private static boolean holds(Class<?> type) {
    return type == Tensor.class
        || type == Quantized.class
        || type == Channels.class
        || type == Running.class
        || type == List.class;
  }

  private static Operation of(Call call) throws IllegalAccessException {
    List<Operation> found =
        operations().stream()
            .filter(o -> o.method.getName().equals(call.operation))
            .filter(o -> o.method.getParameterCount() == call.arguments.length)
            .filter(
                o ->
                    !o.method.getName().equals("upload")
                        || o.method.getParameterTypes()[0].isInstance(call.arguments[0]))
            .toList();
    assertEquals(1, found.size(), call.operation);
    return found.getFirst();
  }

  @Test
  void everyTensorOfEveryOperationIsHere() throws Exception {
    Set<List<Object>> there = new HashSet<>(); // a method and a place among its arguments
    for (Call call : calls()) {
      for (int i = 0; i < call.arguments.length; i++) {
        if (call.arguments[i] != null) there.add(List.of(of(call).method, i));
      }
    }
    for (Operation o : operations()) {
      for (int i = 0; i < o.method.getParameterCount(); i++) {
        assertTrue(
            there.contains(List.of(o.method, i)), o.method + ": argument " + i + " is in no call");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("calls")
  void everyWrongTypeIsRefused(Call call) throws Exception {
    Operation operation = of(call);
    operation.call(call.arguments);
    for (int i = 0; i < call.arguments.length; i++) {
      if (!holds(operation.method.getParameterTypes()[i])) continue;
      for (Object wrong : wrong(call.arguments[i])) {
        Object[] arguments = call.arguments.clone();
        arguments[i] = wrong;
        if (call.operation.equals("fill") || mayBe(call, i, typeOf(wrong))) {
          operation.call(arguments);
          continue;
        }
        var e =
            assertThrows(
                InvocationTargetException.class,
                () -> operation.call(arguments),
                operation + " takes " + wrong + " as argument " + i);
        var refused = assertInstanceOf(IllegalArgumentException.class, e.getCause());
        assertTrue(refused.getMessage().contains(typeOf(wrong).name()), e + "");
      }
    }
  }

  /** Also all tensors of one wrong type: then they agree with each other. */
  @ParameterizedTest
  @MethodSource("calls")
  void theSameWrongTypeEverywhereIsRefused(Call call) throws Exception {
    if (List.of("fill", "copy").contains(call.operation)) return;
    Operation operation = of(call);
    for (DataType type : DataType.values()) {
      Object[] arguments = call.arguments.clone();
      boolean changed = false;
      for (int i = 0; i < arguments.length; i++) {
        if (!(arguments[i] instanceof Tensor t)) continue;
        arguments[i] = tensor(type, t.shape().toArray());
        changed |= t.type() != type && !mayBe(call, i, type);
      }
      if (!changed || type.isReal() && ONE_REAL.contains(call.operation)) continue;
      var e = assertThrows(InvocationTargetException.class, () -> operation.call(arguments));
      assertInstanceOf(IllegalArgumentException.class, e.getCause());
    }
  }

  private static List<Object> wrong(Object argument) {
    List<Object> wrong = new ArrayList<>();
    switch (argument) {
      case Tensor t -> {
        for (DataType type : DataType.values()) {
          if (type != t.type()) wrong.add(tensor(type, t.shape().toArray()));
        }
      }
      case List<?> list -> {
        for (Object t : wrong(list.getLast())) wrong.add(List.of(list.getFirst(), t));
      }
      case Channels c -> {
        for (Object o : wrong(c.mean())) {
          Tensor t = (Tensor) o;
          wrong.add(new Channels(t, c.invStd(), c.gamma(), c.beta()));
          wrong.add(new Channels(c.mean(), t, c.gamma(), c.beta()));
          wrong.add(new Channels(c.mean(), c.invStd(), t, c.beta()));
          if (c.beta() != null) wrong.add(new Channels(c.mean(), c.invStd(), c.gamma(), t));
        }
        if (c.running() == null) return wrong;
        for (Object r : wrong(c.running())) {
          wrong.add(new Channels(c.mean(), c.invStd(), c.gamma(), c.beta(), (Running) r));
        }
      }
      case Running r -> {
        for (Object o : wrong(r.mean())) {
          wrong.add(new Running((Tensor) o, r.variance(), r.epsilon(), r.momentum()));
          wrong.add(new Running(r.mean(), (Tensor) o, r.epsilon(), r.momentum()));
        }
      }
      case null, default -> {} // Quantized cannot be made of wrong types
    }
    return wrong;
  }

  /** The wrong type in what {@link #wrong} made. */
  private static DataType typeOf(Object wrong) {
    return switch (wrong) {
      case List<?> list -> typeOf(list.getLast());
      case Channels c when c.running() == null ->
          notFloats(c.mean(), c.invStd(), c.gamma(), c.beta());
      case Channels c -> typeOf(c.running());
      case Running r -> notFloats(r.mean(), r.variance());
      default -> ((Tensor) wrong).type();
    };
  }

  private static DataType notFloats(Tensor... tensors) {
    return Stream.of(tensors)
        .filter(Objects::nonNull)
        .map(Tensor::type)
        .filter(type -> type != DataType.FLOAT32)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void quantizedNumbersCannotBeMadeOfWrongTypes() {
    for (DataType codes : DataType.values()) {
      for (DataType scales : DataType.values()) {
        if (codes == DataType.UINT8 && scales == DataType.FLOAT32) continue;
        Tensor c = tensor(codes, 300);
        Tensor s = tensor(scales, 2);
        assertThrows(
            IllegalArgumentException.class, () -> new Quantized(c, s, DynamicTree.signed(), 256));
      }
    }
  }

  @Test
  void bytesAreNotReadAsFloats() {
    try (Backend b = new Backend(CpuDevice.open(1));
        Tensor x = b.allocate(Category.ACTIVATION, "x", DataType.UINT8, Shape.of(8));
        Tensor y = b.allocate(Category.ACTIVATION, "y", 8)) {
      var e = assertThrows(IllegalArgumentException.class, () -> b.ops().elementwise.axpy(1, x, y));
      assertEquals("x [8] holds UINT8, no real numbers", e.getMessage());
    }
  }
}
