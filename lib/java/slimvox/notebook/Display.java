package slimvox.notebook;

import java.util.Map;

/** Where a notebook's output goes: the kernel that runs the cell, or standard output. */
interface Display {
  /**
   * Shows one output.
   *
   * @param data the same thing in several media types; {@code text/plain} is always there
   */
  default void show(Map<String, String> data) {
    show(null, data);
  }

  /** Shows an output that {@link #update} can replace; {@code id} is null for one that stays. */
  void show(String id, Map<String, String> data);

  /** Replaces the output that was shown with this id. */
  void update(String id, Map<String, String> data);

  /** The kernel's name, or empty where there is none. */
  String kernel();

  /** The display of the kernel this code runs in; standard output outside a notebook. */
  static Display find() {
    Display kernel = KernelDisplay.find();
    return kernel != null ? kernel : new TextDisplay();
  }
}
