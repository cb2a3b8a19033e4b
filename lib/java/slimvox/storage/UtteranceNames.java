package slimvox.storage;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Finds an utterance by the name that another file has for it.
 *
 * <p>VoxCeleb's trial lists name files ({@code id10270/x6uYqmx31kE/00001.wav}), folders of speakers
 * give ids ({@code id10270-x6uYqmx31kE-00001}), and macOS takes accents off their letters. An id
 * written just so comes first. Else an id is meant that is the same in Unicode's normal form C, and
 * else one that is the same with {@code -} for {@code /} and {@code \}, without {@code ./} before
 * and the ending of a sound file behind, and last without the folders above its last two parts.
 */
public final class UtteranceNames {
  private static final Pattern ENDING =
      Pattern.compile("(?i)\\.(wav|flac|m4a|mp3|ogg|opus|sph|aac)$");

  private final Set<String> ids;
  private final Map<String, String> found = new HashMap<>();
  private Map<String, List<String>> byKey; // made when a name is no id itself

  /** Names of these ids. */
  public UtteranceNames(Collection<String> ids) {
    this.ids = ids instanceof Set<String> set ? set : new HashSet<>(ids);
  }

  /**
   * The id that a name means; null where there is none.
   *
   * @param place where the name stands, for the message: file and line
   * @throws InputException if two ids can be meant
   */
  public synchronized String find(String place, String name) {
    if (ids.contains(name)) return name;
    String known = found.get(name);
    if (known == null) {
      known = otherForm(place, name);
      if (known != null) found.put(name, known);
    }
    return known;
  }

  private String otherForm(String place, String name) {
    if (byKey == null) {
      byKey = new HashMap<>();
      for (String id : ids) {
        byKey.computeIfAbsent(key(path(id)), _ -> new ArrayList<>(1)).add(id);
      }
    }
    String path = path(name);
    List<String> alike = byKey.get(key(path));
    while (alike == null && path.indexOf('/') < path.lastIndexOf('/')) {
      path = path.substring(path.indexOf('/') + 1);
      alike = byKey.get(key(path));
    }
    if (alike == null) return null;
    if (alike.size() > 1) {
      List<String> same = alike.stream().filter(id -> normal(id).equals(normal(name))).toList();
      if (!same.isEmpty()) alike = same;
    }
    if (alike.size() == 1) return alike.getFirst();
    throw InputException.of(
        "%s: utterance '%s' can be '%s' or '%s'%s; write it as one of them",
        place,
        name,
        alike.get(0),
        alike.get(1),
        normal(alike.get(0)).equals(normal(alike.get(1)))
            ? ", which differ in how accents are encoded"
            : "");
  }

  /** A name in Unicode's normal form C: letters with their accents as one character. */
  public static String normal(String name) {
    return Normalizer.normalize(name, Normalizer.Form.NFC);
  }

  /** Whether two names differ at most in how accents are encoded. */
  public static boolean alike(String a, String b) {
    return normal(a).equals(normal(b));
  }

  private static String path(String name) {
    String path = normal(name).replace('\\', '/');
    while (path.startsWith("./")) path = path.substring(2);
    return ENDING.matcher(path).replaceFirst("");
  }

  private static String key(String path) {
    return path.replace('/', '-');
  }
}
