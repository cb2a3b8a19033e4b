package slimvox.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.models.Network;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.Sequential;
import slimvox.nn.StateDict;
import tech.tablesaw.api.Table;

/**
 * A network layer by layer, as one utterance runs forward through its dry twin: what comes out, how
 * many values are learned, what stays for backward, and the multiply-adds of convolutions and
 * matrix products. Nothing is computed.
 */
public final class NetworkSummary {
  /** A layer, or several of the same kind one after the other. */
  private record Row(
      String first, String last, int count, String kind, String output, long[] counts) {
    String name() {
      return count == 1 ? first : "%s to %s (%d)".formatted(first, last, count);
    }

    /** A count of all of them. */
    long all(int i) {
      return count * counts[i];
    }
  }

  private static final int PARAMETERS = 0;
  private static final int KEPT = 1;
  private static final int MULTIPLY_ADDS = 2;

  private NetworkSummary() {}

  /**
   * The table of a network; equal layers in a row share one.
   *
   * @param frames of the utterance
   * @return output as N x H (frequency) x W (frames) x C, learned values, MiB that the ledger has
   *     more after the layer than before, and millions of multiply-adds
   */
  public static Table of(Network network, int frames) {
    DryDevice device = new DryDevice();
    Backend dry = new Backend(device);
    Network twin = network.on(dry);
    List<Row> rows = new ArrayList<>();
    Tensor x =
        dry.allocate(
            Category.INPUT,
            "features",
            twin.activations(),
            slimvox.backend.Shape.of(1, twin.spec().bins(), frames, 1));
    for (Layer layer : ((Sequential) twin.parts().getFirst()).layers()) {
      long bytes = dry.ledger().totalBytes();
      long before = device.multiplyAdds();
      x = layer.forwardReusing(x, Mode.TRAIN);
      StateDict state = StateDict.of(layer);
      long[] counts = {
        state.parameterCount(), dry.ledger().totalBytes() - bytes, device.multiplyAdds() - before
      };
      add(rows, name(state), layer.getClass().getSimpleName(), x.shape().toString(), counts);
    }
    long[] total = new long[3];
    for (Row row : rows) Arrays.setAll(total, i -> total[i] + row.all(i));
    rows.add(new Row("total", "", 1, "", "", total));
    return Rows.of(rows)
        .column("layer", null, Row::name)
        .column("kind", null, Row::kind)
        .column("output", null, Row::output)
        .column("parameters", "%,.0f", row -> (double) row.all(PARAMETERS))
        .column("kept (MiB)", "%,.2f", row -> Bytes.mib(row.all(KEPT)))
        .column("multiply-adds (M)", "%,.1f", row -> row.all(MULTIPLY_ADDS) / 1e6)
        .table()
        .setName(
            String.format(
                Locale.ROOT, "%s; one utterance of %d frames", network.toString(), frames));
  }

  private static void add(List<Row> rows, String name, String kind, String output, long[] counts) {
    Row last = rows.isEmpty() ? null : rows.getLast();
    boolean again =
        last != null
            && last.kind.equals(kind)
            && last.output.equals(output)
            && Arrays.equals(last.counts, counts);
    if (again) rows.removeLast();
    rows.add(
        new Row(again ? last.first : name, name, again ? last.count + 1 : 1, kind, output, counts));
  }

  /** What the names of a layer's parameters begin with; of a stage, of the first to the last. */
  private static String name(StateDict state) {
    List<String> blocks =
        state.parameters().keySet().stream()
            .map(name -> name.replaceFirst("^((layer|stages\\.)\\d+\\.\\d+|[^.]+)\\..*", "$1"))
            .distinct()
            .collect(Collectors.toList());
    if (blocks.isEmpty()) return "";
    return blocks.size() == 1 ? blocks.getFirst() : blocks.getFirst() + " to " + blocks.getLast();
  }
}
