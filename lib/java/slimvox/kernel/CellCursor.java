package slimvox.kernel;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Where the cursor of a cell stands: in a text between quotes, or not.
 *
 * @param text what stands between the quote and the cursor; null outside of a text
 * @param method the method whose argument it is; empty where it is none
 * @param argument its place among the arguments, from 0
 * @param earlier the texts among the arguments before it
 */
record CellCursor(String text, String method, int argument, List<String> earlier) {
  /** An open bracket, or the cell itself. */
  private static final class Level {
    private final String method;
    private final List<String> texts = new ArrayList<>();
    private int argument;

    Level(String method) {
      this.method = method;
    }
  }

  static CellCursor of(String code, int cursor) {
    Deque<Level> levels = new ArrayDeque<>();
    levels.push(new Level(""));
    int i = 0;
    while (i < cursor) {
      char c = code.charAt(i);
      if (c == '"' || c == '\'' || code.startsWith("//", i) || code.startsWith("/*", i)) {
        String close = closing(code, i);
        int begin = i + (c == '"' ? close.length() : 1);
        int end = end(code, begin, close);
        if (end < 0 || end >= cursor) {
          if (c != '"') return new CellCursor(null, "", 0, List.of());
          Level level = levels.peek();
          String text = code.substring(Math.min(begin, cursor), cursor);
          return new CellCursor(text, level.method, level.argument, List.copyOf(level.texts));
        }
        if (c == '"') levels.peek().texts.add(code.substring(begin, end));
        i = end + close.length();
        continue;
      }
      switch (c) {
        case '(', '[', '{' -> levels.push(new Level(c == '(' ? nameBefore(code, i) : ""));
        case ')', ']', '}' -> {
          if (levels.size() > 1) levels.pop();
        }
        case ',' -> levels.peek().argument++;
        default -> {}
      }
      i++;
    }
    return new CellCursor(null, "", 0, List.of());
  }

  private static String closing(String code, int i) {
    return switch (code.charAt(i)) {
      case '"' -> code.startsWith("\"\"\"", i) ? "\"\"\"" : "\"";
      case '\'' -> "'";
      default -> code.charAt(i + 1) == '/' ? "\n" : "*/";
    };
  }

  /** Where the closing mark begins; a text of one line ends with the line at the latest. */
  private static int end(String code, int from, String close) {
    for (int i = from; i < code.length(); i++) {
      if (code.startsWith(close, i)) return i;
      char c = code.charAt(i);
      boolean quoted = close.equals("\"") || close.equals("'");
      if (quoted && c == '\n') return i - close.length();
      if (c == '\\' && (quoted || close.length() == 3)) i++;
    }
    return -1;
  }

  private static String nameBefore(String code, int bracket) {
    int end = bracket;
    while (end > 0 && Character.isWhitespace(code.charAt(end - 1))) end--;
    int begin = end;
    while (begin > 0 && Character.isJavaIdentifierPart(code.charAt(begin - 1))) begin--;
    return code.substring(begin, end);
  }
}
