package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.LongColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;
import tech.tablesaw.columns.numbers.NumberColumnFormatter;

class TablesTest {
  private static Table table() {
    LongColumn memory = LongColumn.create("memory", 1234L, 12_900_000L);
    memory.setPrintFormatter(Bytes.formatter());
    DoubleColumn eer = DoubleColumn.create("EER (%)", 9.87654, Double.NaN);
    DoubleColumn claimed = DoubleColumn.create("claimed", 5, 16.25);
    claimed.setPrintFormatter(NumberColumnFormatter.fixedWithGrouping(1));
    return Table.create(
        "Two nets", StringColumn.create("net", "small", "a < b & c"), memory, eer, claimed);
  }

  @Test
  void textAlignsNumbersOnTheRight() {
    assertEquals(
        """
        net          memory  EER (%)  claimed
        ---------  --------  -------  -------
        small      1.21 KiB    9.877      5.0
        a < b & c  12.3 MiB              16.2
        """,
        Tables.text(table()));
  }

  @Test
  void htmlEscapesTextAndAlignsNumbers() {
    String html = Tables.html(table());
    assertTrue(html.contains(">a &lt; b &amp; c</th>"), html);
    assertTrue(html.contains("<td align=\"right\">12.3 MiB</td>"), html);
    assertTrue(html.contains("text-align:left\">small</th>"), html);
    assertTrue(html.contains("Two nets</caption>"), html);
    assertTrue(html.contains("<th scope=\"col\""), html);
    assertTrue(html.contains("<th scope=\"row\""), html);
  }

  @Test
  void namesFromFilesGiveNoOrders() {
    Table table =
        Table.create(
            "<b>'t'", StringColumn.create("a\nb", "x\ny", "\u001b]0;t\u0007", "\u202e<i>"));
    assertEquals(
        """
        a\\nb
        ----------------
        x\\ny
        \\u001b]0;t\\u0007
        \\u202e<i>
        """,
        Tables.text(table));
    String html = Tables.html(table);
    assertTrue(html.contains("&lt;b&gt;&#39;t&#39;</caption>"), html);
    assertTrue(html.contains(">\\u202e&lt;i&gt;</th>"), html);
    assertTrue(html.contains(">\\u001b]0;t\\u0007</th>"), html);
  }
}
