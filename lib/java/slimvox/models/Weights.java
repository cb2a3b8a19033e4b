package slimvox.models;

import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/**
 * Moves a network's {@link StateDict} to and from safetensors under WeSpeaker's names.
 *
 * <p>Nothing is left out silently: a name that is missing, one that the network does not have, and
 * a shape that differs are errors that name file and tensor.
 */
public final class Weights {
  private Weights() {}

  /**
   * Fills the state from a file.
   *
   * @param prefix put before each name in the file, for example {@code param.}
   * @param mayBeUnused names in the file that the network need not have, for example a classifier
   * @throws InputException before anything was changed
   */
  public static void load(
      Safetensors file, String prefix, StateDict state, Predicate<String> mayBeUnused) {
    load(file, prefix, state, name -> false, mayBeUnused);
  }

  /**
   * Fills the state from the file of a network that may lack a part of it, which stays as it is.
   *
   * @param mayBeMissing names that the file need not have
   * @param mayBeUnused names in the file that the network need not have
   * @throws InputException before anything was changed
   */
  public static void load(
      Safetensors file,
      String prefix,
      StateDict state,
      Predicate<String> mayBeMissing,
      Predicate<String> mayBeUnused) {
    List<String> names =
        state.names().stream()
            .filter(name -> file.has(prefix + name) || !mayBeMissing.test(name))
            .toList();
    check(file, prefix, state, names, mayBeUnused);
    for (String name : names) fill(file, prefix + name, state, name);
  }

  /** Fills a parameter, buffer or counter of the state from the tensor {@code source}. */
  static void fill(Safetensors file, String source, StateDict state, String name) {
    Tensor x = tensor(state, name);
    if (x != null) {
      upload(file, source, x);
    } else {
      state.counters().get(name).set().accept(count(file, source));
    }
  }

  /** Whether a file has a tensor in the shape of a parameter or buffer; or a counter. */
  public static boolean fits(Safetensors file, String source, StateDict state, String name) {
    if (!file.has(source)) return false;
    Tensor x = tensor(state, name);
    return x == null || Arrays.equals(shape(x), file.shape(source));
  }

  /** The parameter or buffer of this name; null of a counter's. */
  private static Tensor tensor(StateDict state, String name) {
    Parameter p = state.parameters().get(name);
    return p != null ? p.value() : state.buffers().get(name);
  }

  private static long[] shape(Tensor x) {
    return Arrays.stream(x.shape().toArray()).asLongStream().toArray();
  }

  /** Refuses a file without a tensor, which is then one of another model. */
  static void requireHas(Safetensors file, String name) {
    if (file.has(name)) return;
    throw InputException.at(
        file.file(),
        "no tensor %s, so this is a file of another model; nearest names: %s",
        name,
        String.join(", ", NearestNames.of(name, file.names(), 3)));
  }

  private static void check(
      Safetensors file,
      String prefix,
      StateDict state,
      List<String> names,
      Predicate<String> mayBeUnused) {
    for (String name : names) requireHas(file, prefix + name);
    for (String name : file.names()) {
      if (name.startsWith(prefix)
          && !state.names().contains(name.substring(prefix.length()))
          && !mayBeUnused.test(name.substring(prefix.length()))) {
        throw InputException.at(
            file.file(),
            "tensor %s is unknown to the model, so it is another model's%s",
            name,
            name.contains("seg_bn_1.") || name.contains("seg_2.")
                ? "; networks with two embedding layers (two_emb_layer: true) are not read"
                : "");
      }
    }
    for (String name : names) {
      Tensor x = tensor(state, name);
      if (x == null) {
        count(file, prefix + name);
      } else {
        shape(file, prefix + name, x);
        if (x.type() == DataType.UINT8) continue;
        requireNumbers(file, prefix + name, file.floats(prefix + name));
      }
    }
  }

  /** Refuses a tensor of the file without the shape of {@code x}, naming both. */
  public static void shape(Safetensors file, String name, Tensor x) {
    long[] wanted = shape(x);
    if (!Arrays.equals(wanted, file.shape(name))) {
      throw new InputException(
          "%s: tensor %s is %s, the model wants %s; model, width, bins or number of speakers differ"
              .formatted(
                  file.file(), name, Arrays.toString(file.shape(name)), Arrays.toString(wanted)));
    }
  }

  /** Fills {@code x} from the tensor {@code name}. */
  public static void upload(Safetensors file, String name, Tensor x) {
    if (x.type() == DataType.UINT8) {
      x.backend().ops().upload(file.bytes(name), x);
    } else {
      float[] values = file.floats(name);
      requireNumbers(file, name, values);
      x.backend().ops().upload(values, x);
    }
  }

  /** Refuses what training that went wrong leaves: ReLU makes zeros of it, and wrong results. */
  private static void requireNumbers(Safetensors file, String name, float[] values) {
    boolean variance = name.endsWith("running_var");
    for (int i = 0; i < values.length; i++) {
      if (Float.isFinite(values[i]) && !(variance && values[i] < 0)) continue;
      throw InputException.at(
          file.file(),
          "tensor %s is %s at index %d: its training went wrong; take an earlier checkpoint",
          name,
          values[i],
          i);
    }
  }

  /**
   * The value of a counter. Averaging of models makes a real number of it, which half precision may
   * not hold; it takes no part in evaluation.
   */
  private static long count(Safetensors file, String name) {
    boolean real = file.dtype(name).startsWith("F") || file.dtype(name).equals("BF16");
    double[] reals = real ? file.doubles(name) : new double[0];
    long[] wholes = real ? new long[reals.length] : file.longs(name);
    for (int i = 0; i < reals.length; i++) {
      wholes[i] = Double.isFinite(reals[i]) ? Math.round(reals[i]) : 0;
    }
    if (wholes.length == 1) return wholes[0];
    throw new InputException(
        "%s: tensor %s has %d values, a counter has one"
            .formatted(file.file(), name, wholes.length));
  }

  /** Adds the state to a file. */
  public static void save(StateDict state, String prefix, SafetensorsWriter file) {
    for (String name : state.names()) {
      Tensor x = tensor(state, name);
      if (x != null) {
        put(file, prefix + name, x);
      } else {
        long value = state.counters().get(name).get().getAsLong();
        file.put(prefix + name, new long[0], new long[] {value});
      }
    }
  }

  /** Adds one tensor to a file. */
  public static void put(SafetensorsWriter file, String name, Tensor x) {
    long[] shape = shape(x);
    if (x.type() == DataType.UINT8) {
      file.put(name, shape, x.backend().ops().bytes(x));
    } else {
      file.put(name, shape, x.backend().ops().floats(x));
    }
  }
}
