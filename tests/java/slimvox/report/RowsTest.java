package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import tech.tablesaw.api.Table;

class RowsTest {
  private record Layer(String name, Integer count, double ms) {}

  private static final Rows<Layer> ROWS =
      Rows.of(List.of(new Layer("stem", 1, 0.5), new Layer("whole, all", null, 1234.567)))
          .column("name", "layer", "%-12s", Layer::name)
          .column("count", "count", " %5d", Layer::count)
          .column("ms", "ms", " %,9.2f", Layer::ms)
          .column("share", " %5.1f %%", l -> l.ms / 20)
          .column("raw", l -> l.ms * 2);

  @Test
  void headingsStandAboveTheirColumnsAndMissingCellsAreBlank() {
    assertEquals(
        """
        layer        count        ms   share
        stem             1      0.50   0.0 %
        whole, all          1,234.57  61.7 %
        """,
        ROWS.text());
  }

  @Test
  void aColumnIsAsWideAsItsWidestCellOrItsHeading() {
    Rows<Layer> rows =
        Rows.of(List.of(new Layer("a", 1, 0.5), new Layer("longer", 123_456, 12)))
            .column("name", "layer", "%-2s", Layer::name)
            .column("count", "examples", " %,3d", Layer::count);
    assertEquals("layer  examples\na             1\nlonger  123,456\n", rows.text());
  }

  @Test
  void jsonAndCsvHaveTheColumnsWithKeys() {
    assertEquals(
        "{\"rows\":[{\"name\":\"stem\",\"count\":1,\"ms\":0.5,\"raw\":1.0},"
            + "{\"name\":\"whole, all\",\"count\":null,\"ms\":1234.567,\"raw\":2469.134}]}",
        new Values().with("rows", ROWS.json()).json());
    assertEquals(
        "name,count,ms,raw\r\nstem,1,0.5,1.0\r\n\"whole, all\",,1234.567,2469.134\r\n", ROWS.csv());
  }

  @Test
  void tablesHaveTheColumnsWithHeadings() {
    Table table = ROWS.table();
    assertEquals(List.of("layer", "count", "ms", "share"), table.columnNames());
    assertTrue(table.intColumn("count").isMissing(1));
    assertEquals(1234.567, table.doubleColumn("ms").get(1));
    Rows<Layer> large =
        Rows.of(List.of(new Layer("a", 123_456, 0))).column("count", " %,d", Layer::count);
    assertTrue(Tables.text(large.table()).endsWith("\n123,456\n"), Tables.text(large.table()));
  }

  @Test
  void templatesTakeValuesByKey() {
    Values values = new Values().with("ms", 1.25).with("bytes", 3L << 20).with("out", "a{ms}$1");
    assertEquals(
        "1.3 ms, 3.00 MiB in a{ms}$1", values.text("{ms:%.1f} ms, {bytes:%,.2f MiB} in {out}"));
    assertThrows(IllegalArgumentException.class, () -> values.text("{other}"));
  }
}
