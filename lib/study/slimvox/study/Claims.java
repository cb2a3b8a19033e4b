package slimvox.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import slimvox.report.Rows;
import slimvox.study.ExperimentResults.Row;
import slimvox.verify.Comparison;
import tech.tablesaw.api.Table;

/**
 * The last table of a notebook: what a paper claims, what was measured, and what follows.
 *
 * <pre>{@code
 * Claims claims = new Claims()
 *     .add("75 % less state", "abstract", measured, saved > 74 ? "supported" : "contradicted", "")
 *     .add("no worse in EER", "abstract", results, "type II", Claims.NO_WORSE, "VoxCeleb");
 * Notebook.show(claims.table());
 * }</pre>
 */
public final class Claims {
  /** What is claimed of a variant, and how a comparison judges it, at 5 % after Holm. */
  public enum Expected {
    /** It makes no more errors than what it is compared with, but for the margin. */
    NO_WORSE,
    /** It makes fewer. */
    BETTER,
    /** It makes more. */
    WORSE;

    /** What a comparison says of the claim. */
    String judge(Comparison c) {
      boolean differs = c.pDifferent() <= Comparison.ALPHA;
      boolean fewer = c.percent() < 0;
      if (this == NO_WORSE) {
        // A difference inside the margin contradicts nothing, however certain it is.
        if (c.pNotWorse() <= Comparison.ALPHA || differs && fewer) return SUPPORTED;
        return differs && c.percentLow() > 100 * c.margin() ? CONTRADICTED : OPEN;
      }
      if (!differs) return OPEN;
      return fewer == (this == BETTER) ? SUPPORTED : CONTRADICTED;
    }
  }

  private static final String SUPPORTED = "supported";
  private static final String CONTRADICTED = "contradicted";
  private static final String OPEN = "cannot tell";

  private record Claim(
      String claim, String source, String measured, String verdict, String needed) {}

  private final List<Claim> claims = new ArrayList<>();

  /**
   * Adds a claim.
   *
   * @param source where it stands
   * @param measured what was found here
   * @param verdict what that says of it
   * @param needed what it would take to say more; empty for nothing
   */
  public Claims add(String claim, String source, String measured, String verdict, String needed) {
    claims.add(new Claim(claim, source, measured, verdict, needed));
    return this;
  }

  /** Adds a claim about the errors of a variant, judged on each list that decides. */
  public Claims add(
      String claim,
      String source,
      ExperimentResults results,
      String variant,
      Expected expected,
      String needed) {
    List<String> measured = new ArrayList<>();
    Map<String, List<String>> verdicts = new LinkedHashMap<>();
    for (String list : results.decidingLists()) {
      String name = ExperimentFigures.shortName(list);
      Row row = results.row(list, variant);
      String judged = row.verdict(); // why there is none
      if (row.comparison() != null) {
        judged = expected.judge(row.comparison());
        measured.add("%s %s %%, %s".formatted(name, row.differenceText(), row.verdict()));
      }
      verdicts.computeIfAbsent(judged, _ -> new ArrayList<>()).add(name);
    }
    String verdict =
        verdicts.size() == 1
            ? verdicts.keySet().iterator().next()
            : verdicts.entrySet().stream()
                .map(v -> v.getKey() + " (" + String.join(", ", v.getValue()) + ")")
                .collect(Collectors.joining("; "));
    return add(claim, source, String.join("; ", measured), verdict, needed);
  }

  /** A row for each claim. */
  public Table table() {
    return Rows.of(claims)
        .column("claim", null, Claim::claim)
        .column("source", null, Claim::source)
        .column("measured here", null, Claim::measured)
        .column("verdict", null, Claim::verdict)
        .column("what would be needed", null, Claim::needed)
        .table()
        .setName("Claimed and measured");
  }
}
