package slimvox.plot;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The figures of a {@link Gallery} as Plotly's frames. */
final class Frames {
  private Frames() {}

  /** Of each figure what is not alike in all of them: the rest the page has already. */
  static List<Map<String, Object>> of(List<Figure> figures) {
    List<List<Map<String, Object>>> traces = new ArrayList<>();
    List<Map<String, Object>> layouts = new ArrayList<>();
    for (Figure figure : figures) {
      List<Map<String, Object>> own = PlotlyPage.traces(figure);
      own.forEach(trace -> trace.keySet().retainAll(List.of("x", "y", "text")));
      traces.add(own);
      Map<String, Object> layout = PlotlyPage.layout(figure);
      layout.keySet().retainAll(List.of("title", "xaxis", "yaxis", "shapes", "annotations"));
      layouts.add(layout);
    }
    for (int t = 0; t < traces.getFirst().size(); t++) {
      int trace = t;
      removeAlike(traces.stream().map(own -> own.get(trace)).toList());
    }
    removeAlike(layouts);
    List<Map<String, Object>> frames = new ArrayList<>();
    for (int i = 0; i < layouts.size(); i++) {
      Map<String, Object> frame = new LinkedHashMap<>();
      frame.put("name", Integer.toString(i));
      frame.put("data", traces.get(i));
      frame.put("layout", layouts.get(i));
      frames.add(frame);
    }
    return frames;
  }

  private static void removeAlike(List<Map<String, Object>> maps) {
    for (String key : List.copyOf(maps.getFirst().keySet())) {
      String first = PlotlyPage.json(maps.getFirst().get(key));
      if (maps.stream().allMatch(map -> first.equals(PlotlyPage.json(map.get(key))))) {
        maps.forEach(map -> map.remove(key));
      }
    }
  }
}
