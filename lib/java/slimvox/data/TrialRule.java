package slimvox.data;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.stream.Stream;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;

/**
 * Makes trial lists from a corpus by rule, without a random generator.
 *
 * <p>Every pair {@code a b} with a &lt; b that fits the kind is ranked by the hexadecimal SHA-256
 * of the text {@code a b}; the first {@value #MOST} of the same speaker and the first {@value
 * #MOST} of different speakers are kept, all in the order of that hash. So a list depends on the
 * ids alone, and the lists that ship with a corpus (data-scripts/kaldi_files.py has the same rule)
 * can be made for any fold of its speakers.
 */
public enum TrialRule {
  /** Two recordings with different words; in a corpus without words, any two recordings. */
  TEXT_INDEPENDENT,
  /** Two recordings of the same word. */
  TEXT_DEPENDENT,
  /** Two joined utterances without a common recording or, where words are known, word. */
  JOINED;

  /** The most trials of each kind, same speaker and different speakers, in a list. */
  public static final int MOST = 5000;

  /** Beyond this a list by rule would take minutes. */
  private static final long MOST_CANDIDATES = 100_000_000;

  /** A pair to be judged. */
  public record Pair(boolean sameSpeaker, String enrolment, String test) {
    /** As in a list of trials: {@code 1 a b} for the same speaker, else {@code 0 a b}. */
    @Override
    public String toString() {
      return (sameSpeaker ? "1 " : "0 ") + enrolment + " " + test;
    }
  }

  private record Ranked(String hash, Pair pair) {}

  /** An utterance or joined utterance, its speaker, and its words or else recordings. */
  private record Candidate(String id, String speaker, Set<String> content) {
    static Candidate of(String id, List<Utterance> parts) {
      Set<String> content = new HashSet<>();
      for (Utterance part : parts) content.add(part.word().orElse(part.id()));
      return new Candidate(id, parts.getFirst().speaker(), content);
    }
  }

  /**
   * The trials of this kind between the utterances of a corpus.
   *
   * @throws InputException if the corpus has no words, no joined utterances, no pair of one of the
   *     two kinds, or too many utterances
   */
  public List<Pair> pairs(Corpus corpus) {
    List<Candidate> candidates = candidates(corpus);
    long count = (long) candidates.size() * (candidates.size() - 1) / 2;
    if (count > MOST_CANDIDATES) {
      throw InputException.of(
          "%s: %s pairs are too many for a list by rule; use the corpus's trial list or fewer"
              + " speakers",
          corpus.folder(), count);
    }
    Comparator<Ranked> byHash = Comparator.comparing(Ranked::hash);
    var same = new PriorityQueue<>(byHash.reversed());
    var different = new PriorityQueue<>(byHash.reversed());
    MessageDigest digest = Sha256.digest();
    for (int i = 0; i < candidates.size(); i++) {
      Candidate a = candidates.get(i);
      for (int j = i + 1; j < candidates.size(); j++) {
        Candidate b = candidates.get(j);
        if (!fits(a, b)) continue;
        String text = a.id() + " " + b.id();
        String hash =
            HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
        boolean sameSpeaker = a.speaker().equals(b.speaker());
        var kept = sameSpeaker ? same : different;
        kept.add(new Ranked(hash, new Pair(sameSpeaker, a.id(), b.id())));
        if (kept.size() > MOST) kept.remove();
      }
    }
    if (same.isEmpty() || different.isEmpty()) {
      throw InputException.of(
          "%s: no pair of %s for %s trials in %s",
          corpus.folder(),
          same.isEmpty() ? "the same speaker" : "different speakers",
          this,
          corpus.name());
    }
    return Stream.concat(same.stream(), different.stream())
        .sorted(byHash)
        .map(Ranked::pair)
        .toList();
  }

  private List<Candidate> candidates(Corpus corpus) {
    List<Candidate> candidates = new ArrayList<>();
    if (this == JOINED) {
      if (corpus.concatenated().isEmpty()) {
        throw InputException.at(
            corpus.folder(), "no joined utterances (file joined2utt) for joined trials");
      }
      corpus.concatenated().forEach((id, parts) -> candidates.add(Candidate.of(id, parts)));
      return candidates;
    }
    for (Utterance utterance : corpus.utterances()) {
      if (this == TEXT_DEPENDENT && utterance.word().isEmpty()) {
        throw InputException.of(
            "%s: utterance %s has no word; text-dependent trials need the file utt2word",
            corpus.folder(), utterance.id());
      }
      candidates.add(Candidate.of(utterance.id(), List.of(utterance)));
    }
    return candidates;
  }

  private boolean fits(Candidate a, Candidate b) {
    if (this == TEXT_DEPENDENT) return a.content().equals(b.content());
    return Collections.disjoint(a.content(), b.content());
  }
}
