package slimvox.cli;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import slimvox.data.CorpusReport;
import slimvox.data.RecordingException;
import slimvox.storage.InputException;

/** Utterances that a result goes without, and why: the work on the others is not lost. */
final class LeftOut {
  private final Map<String, String> reasons = Collections.synchronizedMap(new TreeMap<>());

  /** Leaves out an utterance, or a joined one, for a fault of a recording. */
  void add(String id, RecordingException fault) {
    reasons.put(id, fault.getMessage().replace(" (utterance " + id + ")", "")); // the key says it
  }

  /** Leaves out the utterance that the fault is of. */
  void add(RecordingException fault) {
    add(fault.utterance(), fault);
  }

  Set<String> ids() {
    return reasons.keySet();
  }

  /** Refuses, with the first reason, to go on if all are left out. */
  void requireFewerThan(int total) {
    if (reasons.size() < total) return;
    throw new InputException("no utterance can be used: " + first());
  }

  /** Notes the first of them, and adds {@code left_out} and {@code first_left_out}. */
  void describe(Subcommand command, Map<String, Object> values) {
    for (String line : named()) command.note("left out: " + line);
    values.put("left_out", reasons.size());
    values.put("first_left_out", named());
  }

  /** Says on the standard error output what the result lacks; returns the exit code. */
  int report(Subcommand command, int total) {
    if (reasons.isEmpty()) return 0;
    command
        .spec
        .commandLine()
        .getErr()
        .println(
            String.format(
                Locale.ROOT,
                "slimvox: left out %,d of %,d utterances, the others are written: %s",
                reasons.size(),
                total,
                first()));
    return Failures.INCOMPLETE;
  }

  private List<String> named() {
    return reasons.entrySet().stream()
        .limit(CorpusReport.SHOWN)
        .map(e -> e.getKey() + ": " + e.getValue())
        .toList();
  }

  private String first() {
    return first(named(), reasons.size());
  }

  /** The first of some reasons, and how many more there are. */
  static String first(List<String> reasons, int all) {
    String more = all == 1 ? "" : String.format(Locale.ROOT, " (and %,d more)", all - 1);
    return reasons.getFirst() + more;
  }
}
