package slimvox.notebook;

import java.util.Map;

/** Where a notebook's output goes: the kernel that runs the cell, or standard output. */
public interface Display {
  /**
   * An entry of an output that is no media type: the width of the picture on the page, in pixels.
   */
  String PICTURE_WIDTH = "picture width";

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
}
