package slimvox.verify;

/**
 * Finds a trial by its pair of utterances.
 *
 * <p>Open addressing over trial numbers: four bytes a slot at a load of at most two thirds, so an
 * index of 37 million trials takes 256 MiB. A pair that is listed more than once has several slots
 * on one probe path.
 */
final class PairIndex {
  private final int[] enrol;
  private final int[] test;
  private final int[] slots; // trial + 1; 0 is free
  private final int mask;

  /** Of the utterance numbers of each trial's two sides. */
  PairIndex(int[] enrol, int[] test) {
    this.enrol = enrol;
    this.test = test;
    long wanted = Math.max(16, enrol.length * 3L / 2);
    int capacity = (int) Math.min(1L << 30, Long.highestOneBit(wanted - 1) << 1);
    slots = new int[capacity];
    mask = capacity - 1;
    for (int trial = 0; trial < enrol.length; trial++) {
      int slot = start(enrol[trial], test[trial]);
      while (slots[slot] != 0) slot = slot + 1 & mask;
      slots[slot] = trial + 1;
    }
  }

  /** The first trial of this pair with a number above {@code after}, or -1. */
  int find(int enrolUtterance, int testUtterance, int after) {
    // Trials were entered in order, so equal pairs stand in order on the probe path.
    int slot = start(enrolUtterance, testUtterance);
    while (slots[slot] != 0) {
      int trial = slots[slot] - 1;
      if (trial > after && enrol[trial] == enrolUtterance && test[trial] == testUtterance) {
        return trial;
      }
      slot = slot + 1 & mask;
    }
    return -1;
  }

  private int start(int a, int b) {
    long mixed = ((long) a << 32 | b & 0xFFFFFFFFL) * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 33) & mask;
  }
}
