package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.InputException;
import slimvox.study.MemoryPredictions.Row;
import tech.tablesaw.api.Table;

class MemoryPredictionsTest {
  private static final long MIB = 1 << 20;

  @TempDir Path folder;

  private static Row row(String way, int batch, long predicted, long ledger, long process) {
    return new Row("ResNet34", way, batch, predicted * MIB, ledger * MIB, process * MIB, "1");
  }

  @Test
  void medianAndLargestErrorAreThoseOfTheRows() {
    var predictions =
        new MemoryPredictions(
            List.of(
                row("vanilla", 1, 100, 100, 200),
                row("vanilla", 4, 1000, 1000, 1250),
                row("type II", 1, 99, 100, 110)));
    Table summary = predictions.summary();
    assertEquals("3 configurations", summary.name());
    double[] medians = summary.doubleColumn(1).asDoubleArray();
    double[] largest = summary.doubleColumn(2).asDoubleArray();
    assertEquals(0, medians[0], 1e-12);
    assertEquals(1, largest[0], 1e-12, "99 of 100 in the ledger");
    assertEquals(20, medians[1], 1e-12, "50, 20 and 10 % of the process");
    assertEquals(50, largest[1], 1e-12);
    assertEquals(20, medians[2], 1e-12, "the only step above 500 MiB");
    assertEquals(100, medians[3], 1e-12);
    assertEquals(250, largest[3], 1e-12);
    assertEquals(1, predictions.exceeded(), "1,250 > 1.1 x 1,000 + 96; 200 < 206");
    assertEquals(3, predictions.table().rowCount());
    assertEquals(6, predictions.figure().series().size());
  }

  @Test
  void theStoredRowsAreOfDifferentConfigurationsAndForetold() {
    List<Row> rows =
        MemoryPredictions.read(Path.of("notebooks/results/memory-prediction/rows.json"));
    assertTrue(rows.size() >= 40, rows.size() + " rows");
    Set<String> keys = new HashSet<>();
    for (Row row : rows) {
      assertTrue(keys.add(row.network() + row.way() + row.batch()), row::toString);
      assertEquals(row.ledgerBytes(), row.predictedBytes(), row::toString);
    }
    assertEquals(0, new MemoryPredictions(rows).exceeded());
  }

  @Test
  void aFileThatIsNoListIsNamed() throws IOException {
    assertEquals(List.of(), MemoryPredictions.read(folder.resolve("none.json")));
    Path file = folder.resolve("rows.json");
    Files.writeString(file, "[\n{\"network\": \"ResNet34\"}\n]\n");
    String message =
        assertThrows(InputException.class, () -> MemoryPredictions.read(file)).getMessage();
    assertTrue(message.startsWith(file + ":2: is no list of predictions"), message);
    assertTrue(message.contains("remove it to measure anew"), message);
  }
}
