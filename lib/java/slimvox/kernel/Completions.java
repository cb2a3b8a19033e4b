package slimvox.kernel;

import java.util.List;

/**
 * What could stand at the cursor.
 *
 * @param start where the text that is replaced begins
 * @param items what could replace it
 */
record Completions(int start, List<Item> items) {
  /**
   * One of them.
   *
   * @param label what the list shows: a method with its parameters
   * @param text what is inserted
   * @param type what the list shows beside it
   */
  record Item(String label, String text, String type) {}
}
