package slimvox.study;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.notebook.CommandLine;
import slimvox.notebook.Notebook;
import slimvox.notebook.Size;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.recipe.Recipe;
import slimvox.report.Bytes;
import slimvox.report.Rows;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import tech.tablesaw.api.Table;

/**
 * How well a dry run foretells memory: the peak that it predicts, that of the ledger in real steps,
 * and by how much the resident memory of a process that takes them grows. Networks, ways to train
 * and batches vary; each configuration runs in a process of its own with one thread, once, and its
 * row is kept in {@code notebooks/results}.
 */
public final class MemoryPredictions {
  private static final List<String> NETWORKS =
      List.of("ResNet18", "ResNet34", "DF-ResNet56", "DF-ResNet110");

  private static final int[] BATCHES = {1, 4};

  private static final List<MemoryScheme> WAYS =
      List.of(
          MemoryScheme.VANILLA,
          MemoryScheme.CHECKPOINT,
          MemoryScheme.TYPE_I,
          MemoryScheme.TYPE_II,
          MemoryScheme.LEAN_II);

  private static final int CLASSES = 5994;
  private static final String FILE = "memory-prediction/rows.json";

  /** What a process may take on top, as the README says and a test of the benchmark holds. */
  private static final double OWN_BYTES = 96 * 1024 * 1024;

  /**
   * A configuration and its memory.
   *
   * @param way label of a {@link MemoryScheme}
   * @param predictedBytes peak of the dry run, the CPU's workspaces included
   * @param ledgerBytes peak of the ledger in real steps
   * @param processBytes growth of the process, from the open device to the highest there was
   * @param revision version of the program that ran
   */
  public record Row(
      String network,
      String way,
      int batch,
      long predictedBytes,
      long ledgerBytes,
      long processBytes,
      String revision) {
    private boolean is(String name, MemoryScheme scheme, int size) {
      return network.equals(name) && way.equals(scheme.label()) && batch == size;
    }

    private double ledgerError() {
      return 100.0 * Math.abs(predictedBytes - ledgerBytes) / ledgerBytes;
    }

    private double processError() {
      return 100.0 * Math.abs(predictedBytes - processBytes) / processBytes;
    }

    private boolean exceeds() {
      return processBytes > 1.1 * predictedBytes + OWN_BYTES;
    }
  }

  private final List<Row> rows;

  MemoryPredictions(List<Row> rows) {
    this.rows = List.copyOf(rows);
  }

  /**
   * What a notebook shows: at size smoke what is there, else what is missing is measured first, all
   * of it where {@code notebooks/lab --run NN --fresh} asks for it.
   *
   * @throws InterruptedException if the cell was stopped; the rows measured so far are kept
   * @throws InputException if the file of results is none
   */
  public static MemoryPredictions inNotebook() throws InterruptedException {
    Path file = Places.ofProject().results().resolve(FILE);
    List<Row> rows = System.getenv("SLIMVOX_FRESH") == null ? read(file) : new ArrayList<>();
    if (Notebook.size() != Size.SMOKE) measureMissing(rows, file);
    return new MemoryPredictions(rows);
  }

  /** The rows of a file; none if it is not there. */
  static List<Row> read(Path file) {
    if (!Files.exists(file)) return new ArrayList<>();
    String fault = "is no list of predictions (%s); restore it, or remove it to measure anew";
    return Summary.read(file, new TypeReference<ArrayList<Row>>() {}, fault);
  }

  private static void measureMissing(List<Row> rows, Path file) throws InterruptedException {
    for (String network : NETWORKS) {
      for (MemoryScheme way : WAYS) {
        for (int batch : BATCHES) {
          if (rows.stream().anyMatch(row -> row.is(network, way, batch))) continue;
          rows.add(measure(network, way, batch));
          AtomicFile.write(file, json(rows));
        }
      }
    }
  }

  private static String json(List<Row> rows) {
    return rows.stream()
        .map(row -> Summary.JSON.valueToTree(row).toString())
        .collect(Collectors.joining(",\n", "[\n", "\n]\n"));
  }

  private static Row measure(String network, MemoryScheme way, int batch)
      throws InterruptedException {
    long predicted;
    try (Backend cpu = Backends.open("cpu", 1, MemoryBudget.UNLIMITED)) {
      MemoryAnalysis analysis = MemoryAnalysis.of(Recipe.defaults(), CLASSES, cpu.device(), 1);
      predicted = analysis.price(ModelSpec.of(network), way, batch).totalPeak();
    }
    String command =
        "bench step --steps 1 --threads 1 --backend cpu --classes %d --model %s --batch %d %s"
            .formatted(CLASSES, network, batch, way.options());
    JsonNode real = CommandLine.json(command.strip().split(" "));
    return new Row(
        network,
        way.label(),
        batch,
        predicted,
        real.get("peak_bytes").asLong(),
        real.get("resident_growth_bytes").asLong(),
        Notebook.version());
  }

  /** Every configuration, in MiB and with the errors of the prediction in %. */
  public Table table() {
    return Rows.of(rows)
        .column("network", null, Row::network)
        .column("way", null, Row::way)
        .column("batch", "%,.0f", row -> (double) row.batch)
        .column("predicted (MiB)", "%,.1f", row -> Bytes.mib(row.predictedBytes))
        .column("ledger (MiB)", "%,.1f", row -> Bytes.mib(row.ledgerBytes))
        .column("process grew by (MiB)", "%,.1f", row -> Bytes.mib(row.processBytes))
        .column("error, ledger (%)", "%,.2f", Row::ledgerError)
        .column("error, process (%)", "%,.1f", Row::processError)
        .column(
            "process has on top (MiB)",
            "%,.0f",
            row -> Bytes.mib(row.processBytes - row.predictedBytes))
        .table()
        .setName("Predicted and measured, measured by " + revisions());
  }

  private String revisions() {
    return rows.stream().map(Row::revision).distinct().collect(Collectors.joining(", "));
  }

  /** The errors in short: a line for the ledger, the process and what is above the bound. */
  private record Line(String what, double median, double largest) {}

  /** Median and largest error of all configurations. */
  public Table summary() {
    return Rows.of(
            Stream.of(
                    line("predicted against the ledger (%)", Row::ledgerError),
                    line("predicted against the process (%)", Row::processError),
                    line(
                        "predicted against the process, steps above 500 MiB (%)",
                        row -> row.predictedBytes < 500L << 20 ? Double.NaN : row.processError()),
                    line(
                        "process on top of the prediction (MiB)",
                        row -> Bytes.mib(row.processBytes - row.predictedBytes)))
                .toList())
        .column("error", null, Line::what)
        .column("median", "%,.2f", Line::median)
        .column("largest", "%,.2f", Line::largest)
        .table()
        .setName(rows.size() + " configurations");
  }

  private Line line(String what, ToDoubleFunction<Row> error) {
    double[] sorted = rows.stream().mapToDouble(error).filter(Double::isFinite).sorted().toArray();
    int n = sorted.length;
    if (n == 0) return new Line(what, Double.NaN, Double.NaN);
    return new Line(what, (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[n - 1]);
  }

  /** In how many configurations the process took more than the prediction, a tenth and 96 MiB. */
  public long exceeded() {
    return rows.stream().filter(Row::exceeds).count();
  }

  /** How many configurations there are. */
  public int size() {
    return rows.size();
  }

  /** The growth of the process against the prediction, a point for each configuration. */
  public Figure figure() {
    double[] ends = {60, 3000};
    Figure figure =
        Figure.of("The process takes what is predicted, and %.0f MiB on top".formatted(median()))
            .x(Axis.log("predicted (MiB)"))
            .y(Axis.log("process grew by (MiB)"));
    for (MemoryScheme way : WAYS) {
      Row[] of = rows.stream().filter(r -> r.way.equals(way.label())).toArray(Row[]::new);
      figure =
          figure.scatter(
              way.label(), mebibytes(of, Row::predictedBytes), mebibytes(of, Row::processBytes));
    }
    return figure.dashed("as predicted", ends, ends).size(640, 460);
  }

  private double median() {
    return line("", row -> Bytes.mib(row.processBytes - row.predictedBytes)).median();
  }

  private static double[] mebibytes(Row[] rows, ToDoubleFunction<Row> bytes) {
    return Stream.of(rows).mapToDouble(row -> Bytes.mib(bytes.applyAsDouble(row))).toArray();
  }
}
