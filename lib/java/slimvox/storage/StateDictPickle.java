package slimvox.storage;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the pickle of a state dict: tensors by name, and nothing else.
 *
 * <p>A pickle is a program that may call anything. Here a class is a name out of a short list and
 * all others are refused by theirs: what is made is strings, whole numbers, tuples, dicts and
 * places of tensors. Of the opcodes those are known that {@code torch.save} writes for state dicts
 * (pickle protocol 2). That is less than the closing of a general reader takes, which makes objects
 * of classes it does not know, and trusts lengths. Each opcode makes one object at most, no larger
 * than its bytes, and nothing walks into objects, so that there is no recursion.
 *
 * <p>Source: Python's pickletools, and torch/_utils.py for the arguments of {@code
 * _rebuild_tensor_v2}: storage, offset, size, stride and what is of training.
 */
final class StateDictPickle {
  private static final String DICT = "collections.OrderedDict";
  private static final String TENSOR = "torch._utils._rebuild_tensor_v2";
  private static final String PARAMETER = "torch._utils._rebuild_parameter";
  private static final Map<String, Dtype> STORAGES =
      Map.of(
          "torch.FloatStorage", Dtype.F32,
          "torch.HalfStorage", Dtype.F16,
          "torch.BFloat16Storage", Dtype.BF16,
          "torch.DoubleStorage", Dtype.F64,
          "torch.LongStorage", Dtype.I64,
          "torch.IntStorage", Dtype.I32,
          "torch.ShortStorage", Dtype.I16,
          "torch.CharStorage", Dtype.I8,
          "torch.ByteStorage", Dtype.U8,
          "torch.BoolStorage", Dtype.BOOL);
  private static final int MOST_DIMENSIONS = 64; // PyTorch's limit

  /** A storage: its member's name below {@code data/}. */
  record Stored(Dtype dtype, String key, long elements) {}

  /** A tensor's place in its storage, in elements. */
  record Tensor(Stored storage, long offset, long[] shape, long[] strides) {
    /** Their number; -1 if it fits no file. */
    long elements() {
      long elements = 1;
      for (long size : shape) {
        if (size == 0) return 0;
        elements = elements > Long.MAX_VALUE / size ? Long.MAX_VALUE : elements * size;
      }
      return elements == Long.MAX_VALUE ? -1 : elements;
    }

    /** Whether the elements follow each other, the last dimension fastest. */
    boolean isContiguous() {
      long stride = 1;
      for (int i = shape.length - 1; i >= 0; i--) {
        if (shape[i] != 1 && strides[i] != stride) return elements() == 0;
        stride *= shape[i];
      }
      return true;
    }
  }

  private record ClassName(String name) {}

  /** What stands on the stack beside objects. */
  private enum Token {
    MARK,
    NONE
  }

  private final String place;
  private final ByteBuffer in;
  private final List<Object> stack = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();
  private int at;

  /** A reader whose messages begin with a place. */
  StateDictPickle(String place, byte[] pickle) {
    this.place = place;
    this.in = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The tensors by name; what is no pickle of a state dict is refused. */
  Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (var entry : run().entrySet()) {
      if (!(entry.getValue() instanceof Tensor tensor)) {
        throw InputException.at(
            place,
            "entry %s is no tensor; save model.state_dict() alone",
            SafetensorsHeader.oneLine(entry.getKey()));
      }
      tensors.put(entry.getKey(), tensor);
    }
    return tensors;
  }

  private Map<String, Object> run() {
    try {
      while (true) {
        at = in.position();
        int opcode = in.get() & 0xff;
        if (opcode == '.') return dict(pop());
        step(opcode);
      }
    } catch (BufferUnderflowException e) {
      throw bad("ends in the middle; copy the file again").because(e);
    }
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> { // PROTO
        int protocol = in.get() & 0xff;
        if (protocol != 2) throw bad("pickle protocol %d; save with protocol 2", protocol);
      }
      case '(' -> stack.add(Token.MARK);
      case 'N' -> stack.add(Token.NONE);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'K' -> stack.add(in.get() & 0xffL); // BININT1
      case 'M' -> stack.add(in.getShort() & 0xffffL); // BININT2
      case 'J' -> stack.add((long) in.getInt()); // BININT
      case 0x8a -> stack.add(longInteger());
      case 'X' -> stack.add(new String(bytes(in.getInt()), StandardCharsets.UTF_8)); // BINUNICODE
      case '}' -> stack.add(new LinkedHashMap<String, Object>());
      case ')' -> stack.add(List.of());
      case 0x85 -> stack.add(tuple(stack.size() - 1));
      case 0x86 -> stack.add(tuple(stack.size() - 2));
      case 0x87 -> stack.add(tuple(stack.size() - 3));
      case 't' -> stack.add(marked());
      case 's' -> setItems(tuple(stack.size() - 2));
      case 'u' -> setItems(marked());
      case 'q' -> memo.put(in.get() & 0xff, top()); // BINPUT
      case 'r' -> memo.put(in.getInt(), top()); // LONG_BINPUT
      case 'h' -> stack.add(remembered(in.get() & 0xff)); // BINGET
      case 'j' -> stack.add(remembered(in.getInt())); // LONG_BINGET
      case 'c' -> stack.add(className());
      case 'Q' -> stack.add(storage(list(pop()))); // BINPERSID
      case 'R' -> { // REDUCE
        List<?> arguments = list(pop());
        stack.add(call(pop(), arguments));
      }
      case 'b' -> { // BUILD: attributes of a state dict, the layers' versions
        dict(pop());
        dict(top());
      }
      default -> throw bad("opcode 0x%02x has no place in a state dict; save that alone", opcode);
    }
  }

  private Object call(Object callee, List<?> arguments) {
    if (!(callee instanceof ClassName(String name))) throw bad("calls what is no class");
    switch (name) {
      case DICT -> {
        if (arguments.isEmpty()) return new LinkedHashMap<String, Object>();
      }
      case PARAMETER -> {
        if (!arguments.isEmpty() && arguments.getFirst() instanceof Tensor tensor) return tensor;
      }
      case TENSOR -> {
        if (arguments.size() >= 4 && arguments.getFirst() instanceof Stored storage) {
          long[] shape = sizes(arguments.get(2));
          long[] strides = sizes(arguments.get(3));
          if (shape.length == strides.length) {
            return new Tensor(storage, size(arguments.get(1)), shape, strides);
          }
        }
      }
      default -> {}
    }
    throw bad("%s has unexpected arguments", name);
  }

  /** ('storage', class, key, device, elements). */
  private Stored storage(List<?> id) {
    if (id.size() == 5
        && "storage".equals(id.get(0))
        && id.get(1) instanceof ClassName(String name)
        && STORAGES.containsKey(name)
        && id.get(2) instanceof String key) {
      return new Stored(STORAGES.get(name), key, size(id.get(4)));
    }
    throw bad("names something else than a storage");
  }

  private ClassName className() {
    String name = line() + "." + line();
    if (STORAGES.containsKey(name) || List.of(DICT, TENSOR, PARAMETER).contains(name)) {
      return new ClassName(name);
    }
    throw bad(
        "class %s is not of a state dict; nothing of it was run. Save model.state_dict() alone",
        SafetensorsHeader.oneLine(name));
  }

  private String line() {
    int start = in.position();
    while (in.get() != '\n') {}
    int length = in.position() - 1 - start;
    return new String(in.array(), start, length, StandardCharsets.UTF_8);
  }

  private byte[] bytes(int length) {
    if (length < 0 || length > in.remaining()) throw new BufferUnderflowException();
    byte[] bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }

  /** LONG1: bytes of a number in two's complement, the lowest first. */
  private long longInteger() {
    byte[] bytes = bytes(in.get() & 0xff);
    if (bytes.length > 8) throw bad("a number of %d bytes", bytes.length);
    long value = 0;
    for (int i = bytes.length - 1; i >= 0; i--) {
      value = value << 8 | (i == bytes.length - 1 ? bytes[i] : bytes[i] & 0xff);
    }
    return value;
  }

  private Object top() {
    if (stack.isEmpty()) throw bad("takes more than there is");
    return stack.getLast();
  }

  private Object pop() {
    Object top = top();
    stack.removeLast();
    return top;
  }

  private List<?> tuple(int from) {
    if (from < 0) throw bad("takes more than there is");
    List<Object> above = stack.subList(from, stack.size());
    List<Object> tuple = List.copyOf(above);
    above.clear();
    return tuple;
  }

  private List<?> marked() {
    int mark = stack.lastIndexOf(Token.MARK);
    List<?> tuple = tuple(mark + 1);
    if (mark < 0) throw bad("has no mark");
    stack.removeLast();
    return tuple;
  }

  private Object remembered(int number) {
    Object object = memo.get(number);
    if (object == null) throw bad("takes object %d, which it did not keep", number);
    return object;
  }

  private void setItems(List<?> items) {
    Map<String, Object> dict = dict(top());
    for (int i = 0; i < items.size(); i += 2) {
      if (i + 1 == items.size() || !(items.get(i) instanceof String key)) {
        throw bad("a dict with keys that are no names; save model.state_dict() alone");
      }
      if (dict.put(key, items.get(i + 1)) != null) {
        throw bad("has the name %s twice", SafetensorsHeader.oneLine(key));
      }
    }
  }

  @SuppressWarnings("unchecked") // only step and call make maps
  private Map<String, Object> dict(Object object) {
    if (object instanceof Map<?, ?> map) return (Map<String, Object>) map;
    throw bad("something else stands where a dict must be; save model.state_dict() alone");
  }

  private List<?> list(Object object) {
    if (object instanceof List<?> list) return list;
    throw bad("something else stands where a tuple must be");
  }

  private long[] sizes(Object object) {
    List<?> list = list(object);
    if (list.size() > MOST_DIMENSIONS) throw bad("a tensor of %d dimensions", list.size());
    long[] sizes = new long[list.size()];
    for (int i = 0; i < sizes.length; i++) sizes[i] = size(list.get(i));
    return sizes;
  }

  private long size(Object object) {
    if (object instanceof Long size && size >= 0) return size;
    throw bad("something else stands where a size must be");
  }

  private InputException bad(String format, Object... values) {
    return InputException.at(place, "byte " + at + ": " + format, values);
  }
}
