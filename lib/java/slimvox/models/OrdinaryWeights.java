package slimvox.models;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import slimvox.models.ModelSpec.Order;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/**
 * The weights of an ordinary network as the start of a reversible one.
 *
 * <p>What has the same name in both is taken over, and the functions F, G, F, G ... of a stage get
 * the weights of its blocks in their order, wherever all convolutions of a function have the shapes
 * of those of the block: with {@link ModelSpec.Units#C} in type I all, unless the inner width of
 * the last stage differs, in type II the first stage. A normalization keeps its place behind a
 * convolution; in front of the first one ordinary blocks have none.
 */
public final class OrdinaryWeights {
  private static final Pattern FUNCTION =
      Pattern.compile("(.*\\.)(\\d+)\\.([fg])\\.(conv|bn)(\\d+)(\\..*)");
  private static final Pattern PART = Pattern.compile("stages\\.\\d+|[^.]+");

  private final Safetensors file;
  private final String prefix;
  private final StateDict state;
  private final int normsMoved;
  private final Map<String, Integer> firstCouplings = new HashMap<>(); // by stage

  private OrdinaryWeights(Safetensors file, String prefix, ModelSpec spec, StateDict state) {
    this.file = file;
    this.prefix = prefix;
    this.state = state;
    boolean preActivation = file.has(prefix + "bn_last.weight");
    normsMoved = (spec.order() == Order.PRE ? 1 : 0) - (preActivation ? 1 : 0);
    for (String name : state.names()) {
      Matcher m = FUNCTION.matcher(name);
      if (m.matches()) firstCouplings.merge(m.group(1), Integer.parseInt(m.group(2)), Math::min);
    }
  }

  /** Whether a reversible network is to start with a file of one without reversible blocks. */
  public static boolean areIn(Safetensors file, ModelSpec spec) {
    return spec.hasReversibleBlocks()
        && file.names().stream().noneMatch(name -> FUNCTION.matcher(name).matches());
  }

  /**
   * Takes over what fits.
   *
   * @param prefix before each name in the file
   * @param state of the network, and maybe of its classifier
   * @return what was taken over, in one sentence
   * @throws InputException if the first convolution is missing or has another shape, or no function
   *     fits a block; nothing was changed then
   */
  public static String load(Safetensors file, String prefix, ModelSpec spec, StateDict state) {
    return new OrdinaryWeights(file, prefix, spec, state).load();
  }

  private String load() {
    Parameter stem = state.parameters().values().iterator().next();
    Weights.requireHas(file, prefix + stem.name());
    Weights.shape(file, prefix + stem.name(), stem.value());
    Map<String, String> sources = new LinkedHashMap<>();
    for (String name : state.names()) {
      String source = prefix + source(name);
      if (Weights.fits(file, source, state, name) && ofWholeBlock(name)) sources.put(name, source);
    }
    if (sources.keySet().stream().noneMatch(name -> FUNCTION.matcher(name).matches())) {
      throw InputException.at(
          file.file(),
          "no block has the shapes of a function of this network; give a file of the same stages"
              + " and widths, or model.units=c");
    }
    sources.forEach((name, source) -> Weights.fill(file, source, state, name));
    return said(new ArrayList<>(sources.keySet()));
  }

  /** The name of an ordinary network's tensor, which there need not be. */
  private String source(String name) {
    Matcher m = FUNCTION.matcher(name);
    if (!m.matches()) return name;
    int first = firstCouplings.get(m.group(1));
    int block =
        first + 2 * (Integer.parseInt(m.group(2)) - first) + (m.group(3).equals("g") ? 1 : 0);
    int number = Integer.parseInt(m.group(5)) - (m.group(4).equals("bn") ? normsMoved : 0);
    return m.group(1) + block + "." + m.group(4) + number + m.group(6);
  }

  /** Whether all convolutions of a tensor's function fit. */
  private boolean ofWholeBlock(String name) {
    Matcher m = FUNCTION.matcher(name);
    if (!m.matches()) return true;
    String convolutions = name.substring(0, m.start(4)) + "conv";
    return state.names().stream()
        .filter(other -> other.startsWith(convolutions))
        .allMatch(other -> Weights.fits(file, prefix + source(other), state, other));
  }

  private String said(List<String> taken) {
    Map<String, int[]> counts = new LinkedHashMap<>();
    long values = 0;
    for (String name : state.names()) {
      Matcher part = PART.matcher(name);
      part.lookingAt();
      int[] count = counts.computeIfAbsent(part.group(), _ -> new int[2]);
      count[1]++;
      if (!taken.contains(name)) continue;
      count[0]++;
      Parameter parameter = state.parameters().get(name);
      if (parameter != null) values += parameter.value().size();
    }
    String parts =
        counts.entrySet().stream()
            .map(e -> "%s %d of %d".formatted(e.getKey(), e.getValue()[0], e.getValue()[1]))
            .collect(Collectors.joining(", "));
    return String.format(
        Locale.ROOT,
        "%s is of an ordinary network; of %,d parameters %,d are taken over, tensors by part: %s",
        file.file(),
        state.parameterCount(),
        values,
        parts);
  }
}
