package slimvox.models;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.storage.InputException;

/** The networks by name. */
public final class Models {
  private static final Map<String, ResNet> RESNETS = new LinkedHashMap<>();

  static {
    RESNETS.put("ResNet18", new ResNet(List.of(2, 2, 2, 2), false));
    RESNETS.put("ResNet34", new ResNet(List.of(3, 4, 6, 3), false));
    RESNETS.put("ResNet50", new ResNet(List.of(3, 4, 6, 3), true));
    RESNETS.put("ResNet101", new ResNet(List.of(3, 4, 23, 3), true));
    RESNETS.put("ResNet152", new ResNet(List.of(3, 8, 36, 3), true));
    RESNETS.put("ResNet221", new ResNet(List.of(6, 16, 48, 3), true));
    RESNETS.put("ResNet293", new ResNet(List.of(10, 20, 64, 3), true));
  }

  private Models() {}

  /** The names that {@link #build} knows. */
  public static List<String> names() {
    return List.copyOf(RESNETS.keySet()); // in order of size
  }

  /**
   * Builds a network; parameters are not initialized.
   *
   * @throws InputException if the name is unknown
   */
  public static Network build(ModelSpec spec, Backend backend) {
    ResNet resnet = RESNETS.get(spec.name());
    if (resnet == null) {
      throw new InputException(
          "unknown model '" + spec.name() + "'; known are " + String.join(", ", names()));
    }
    return resnet.build(spec, backend);
  }
}
