package slimvox.nn;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import slimvox.backend.Tensor;

/**
 * Everything a network has to remember, by name, in the order of its layers: learned parameters,
 * buffers (running statistics) and counters.
 *
 * <p>Of ResNets that is the order of WeSpeaker's state dict. WeSpeaker's Gemini DF-ResNet lists the
 * layers before all stages first, here each stands before the blocks of its stage; files are read
 * by name, so that the order is of no consequence.
 */
public final class StateDict {
  /** A whole number such as {@code num_batches_tracked}. */
  public record Counter(LongSupplier get, LongConsumer set) {}

  private final Set<String> names = new LinkedHashSet<>();
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();
  private final Map<String, Counter> counters = new LinkedHashMap<>();
  private final List<FixedPoint> grids = new ArrayList<>();

  /** The state of one part and all it contains. */
  public static StateDict of(Stateful part) {
    StateDict state = new StateDict();
    part.describe(state);
    return state;
  }

  /** Lists a parameter. */
  public void add(Parameter parameter) {
    name(parameter.name());
    parameters.put(parameter.name(), parameter);
  }

  /** Lists a buffer under its label. */
  public void add(Tensor buffer) {
    name(buffer.label());
    buffers.put(buffer.label(), buffer);
  }

  /** Lists a counter. */
  public void add(String name, LongSupplier get, LongConsumer set) {
    name(name);
    counters.put(name, new Counter(get, set));
  }

  /** Lists what streams are rounded to. */
  public void add(FixedPoint grid) {
    grids.add(grid);
  }

  private void name(String name) {
    if (!names.add(name)) {
      throw new IllegalStateException("two parts of the network are called " + name);
    }
  }

  /** All names in order. */
  public Set<String> names() {
    return Collections.unmodifiableSet(names);
  }

  /** What is learned, by name. */
  public Map<String, Parameter> parameters() {
    return parameters;
  }

  /** Tensors that are not learned, by name. */
  public Map<String, Tensor> buffers() {
    return buffers;
  }

  /** Whole numbers, by name. */
  public Map<String, Counter> counters() {
    return counters;
  }

  /** What streams are rounded to: not remembered, but found here. */
  public List<FixedPoint> grids() {
    return grids;
  }

  /** Number of learned values. */
  public long parameterCount() {
    return parameters.values().stream().mapToLong(p -> p.value().size()).sum();
  }

  /** How much of what. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%d parameters of %,d values, %d buffers, %d counters",
        parameters.size(),
        parameterCount(),
        buffers.size(),
        counters.size());
  }
}
