package slimvox.settings;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.storage.InputException;

/**
 * What recipes name: parts that ship with SlimVox, and those of one's own that were registered in
 * this process.
 *
 * <p>A recipe, and so a checkpoint, holds the name only: a program that reads it registers the same
 * parts first.
 *
 * @param <T> the parts, or what makes them
 */
public final class Registry<T> {
  private final String key;
  private final String method;
  private final List<String> shipped;
  private final Map<String, T> own = new LinkedHashMap<>();

  /**
   * A registry.
   *
   * @param key that names a part in recipes
   * @param method that registers one, for messages
   * @param shipped names of the parts that ship, which whoever asks knows, in this order
   */
  public Registry(String key, String method, String... shipped) {
    this.key = key;
    this.method = method;
    this.shipped = List.of(shipped);
  }

  /**
   * Makes a part known; one of that name, such as of the same cell run before, is replaced.
   *
   * @throws InputException if a part of that name ships with SlimVox, or the name is no word
   */
  public synchronized void register(String name, T part) {
    if (shipped.contains(name) || !name.matches("[\\w.+-]+")) {
      throw new InputException(
          "%s: %s; register yours as another, such as my-%s"
              .formatted(
                  method,
                  shipped.contains(name)
                      ? name + " ships with SlimVox"
                      : "'" + name + "' is no word of letters, digits, '-', '_' and '.'",
                  name.replaceAll("[^\\w.+-]+", "-")));
    }
    own.put(name, part);
  }

  /** All names: what ships, then one's own. */
  public synchronized List<String> names() {
    List<String> names = new ArrayList<>(shipped);
    names.addAll(own.keySet());
    return names;
  }

  /** Refuses a name that no part has; lists those there are. */
  public void require(String name) {
    if (names().contains(name)) return;
    String known = names().isEmpty() ? "" : String.join(", ", names()) + ", or ";
    throw InvalidSetting.notAllowed(key, name, known + "a name registered by " + method);
  }

  /** One's own part of a name; as {@link #require}. */
  public synchronized T get(String name) {
    require(name);
    return own.get(name);
  }
}
