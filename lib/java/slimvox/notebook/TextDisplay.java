package slimvox.notebook;

import java.util.Map;

/** Prints the plain text of every output, so that notebook code also runs outside a notebook. */
final class TextDisplay implements Display {
  @Override
  public void show(String id, Map<String, String> data) {
    System.out.println(data.get("text/plain").stripTrailing());
  }

  @Override
  public void update(String id, Map<String, String> data) {
    show(id, data);
  }

  @Override
  public String kernel() {
    return "";
  }
}
