package slimvox.verify;

/** What a comparison shows, see {@link Comparison#verdict}. */
public enum Verdict {
  /** The difference is less than the margin, either way. */
  EQUIVALENT("equivalent"),
  /** Worse by less than the margin, if at all; how much better is open. */
  NOT_WORSE("not worse"),
  /** Fewer errors than the reference. */
  BETTER("better"),
  /** More errors than the reference. */
  WORSE("worse"),
  /** None of these is shown; it takes more seeds, stated anew and all taken, or speakers. */
  CANNOT_TELL("cannot tell");

  private final String words;

  Verdict(String words) {
    this.words = words;
  }

  /** The verdict in words. */
  @Override
  public String toString() {
    return words;
  }
}
