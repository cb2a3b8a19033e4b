package slimvox.models;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.storage.InputException;

/** The networks by name. */
public final class Models {
  private static final Map<String, Architecture> ARCHITECTURES = new LinkedHashMap<>();

  static {
    ARCHITECTURES.put("ResNet18", new ResNet(List.of(2, 2, 2, 2), false));
    ARCHITECTURES.put("ResNet34", new ResNet(List.of(3, 4, 6, 3), false));
    ARCHITECTURES.put("ResNet50", new ResNet(List.of(3, 4, 6, 3), true));
    ARCHITECTURES.put("ResNet101", new ResNet(List.of(3, 4, 23, 3), true));
    ARCHITECTURES.put("ResNet152", new ResNet(List.of(3, 8, 36, 3), true));
    ARCHITECTURES.put("ResNet221", new ResNet(List.of(6, 16, 48, 3), true));
    ARCHITECTURES.put("ResNet293", new ResNet(List.of(10, 20, 64, 3), true));
    ARCHITECTURES.put("DF-ResNet56", DfResNet.original(3, 3, 9, 3));
    ARCHITECTURES.put("DF-ResNet110", DfResNet.original(3, 3, 27, 3));
    ARCHITECTURES.put("DF-ResNet179", DfResNet.original(3, 8, 45, 3));
    ARCHITECTURES.put("DF-ResNet233", DfResNet.original(3, 8, 63, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet60", DfResNet.gemini(3, 3, 9, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet114", DfResNet.gemini(3, 3, 27, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet183", DfResNet.gemini(3, 8, 45, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet237", DfResNet.gemini(3, 8, 63, 3));
  }

  private Models() {}

  /** The names that {@link #build} knows. */
  public static List<String> names() {
    return List.copyOf(ARCHITECTURES.keySet()); // in order of size
  }

  /**
   * Builds a network; parameters are not initialized.
   *
   * @throws InputException if the name is unknown
   */
  public static Network build(ModelSpec spec, Backend backend) {
    Architecture architecture = ARCHITECTURES.get(spec.name());
    if (architecture == null) {
      throw new InputException(
          "unknown model '" + spec.name() + "'; known are " + String.join(", ", names()));
    }
    return architecture.build(spec, backend);
  }
}
