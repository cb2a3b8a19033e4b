package slimvox.verify;

import java.nio.ByteBuffer;
import java.util.Base64;
import slimvox.storage.InputException;

/**
 * The result of one run on one trial list, small enough to be kept: EER and minDCF of all trials
 * and under each draw of speakers ({@link SpeakerDraws}). Every interval and verdict of {@link
 * Comparison} is computed from these.
 *
 * <p>A draw's values are kept in steps of 0.01 % EER and 0.0001 minDCF, as two bytes each.
 *
 * @param trials hash of the trial list, in hexadecimal
 * @param draws hash of the speakers and the rule by which they are drawn, in hexadecimal
 * @param speakers number of speakers that have target trials: what the degrees of freedom count
 * @param eerPercent EER of all trials, in per cent
 * @param minDcf minDCF of all trials, p_target 0.05
 * @param eerDraws Base64 of an unsigned big-endian 16-bit number a draw: EER in 0.01 %
 * @param minDcfDraws the same: minDCF in 0.0001
 */
public record Replicates(
    String trials,
    String draws,
    int speakers,
    double eerPercent,
    double minDcf,
    String eerDraws,
    String minDcfDraws) {
  private static final double STEPS = 10_000; // of a rate of 1

  /** Refuses draws from a file that are not two bytes each, and values that are no numbers. */
  public Replicates {
    decode(trials, eerDraws);
    decode(trials, minDcfDraws);
    if (!(eerPercent >= 0 && eerPercent <= 100 && minDcf >= 0)) {
      throw InputException.of(
          "result on trial list %s: EER %s %% or minDCF %s is no error rate; evaluate it again",
          shortened(trials), eerPercent, minDcf);
    }
  }

  static Replicates of(
      String trials,
      String draws,
      int speakers,
      double eerPercent,
      double minDcf,
      double[] eers,
      double[] costs) {
    return new Replicates(trials, draws, speakers, eerPercent, minDcf, encode(eers), encode(costs));
  }

  private static String encode(double[] rates) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * rates.length);
    for (double rate : rates) bytes.putShort((short) Math.round(STEPS * rate));
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  private static double[] decode(String trials, String text) {
    byte[] bytes;
    try {
      bytes = Base64.getDecoder().decode(text);
    } catch (IllegalArgumentException _) {
      bytes = new byte[0];
    }
    if (bytes.length != 2 * SpeakerDraws.DRAWS) {
      throw InputException.of(
          "result on trial list %s: %d bytes of draws instead of %d; evaluate it again",
          shortened(trials), bytes.length, 2 * SpeakerDraws.DRAWS);
    }
    double[] rates = new double[SpeakerDraws.DRAWS];
    ByteBuffer shorts = ByteBuffer.wrap(bytes);
    for (int i = 0; i < rates.length; i++) {
      rates[i] = Short.toUnsignedInt(shorts.getShort()) / STEPS;
    }
    return rates;
  }

  /** The start of a hash, for messages. */
  static String shortened(String hash) {
    return hash.substring(0, Math.min(12, hash.length()));
  }

  /** The value of all trials. */
  public double value(Measure measure) {
    return measure == Measure.EER ? eerPercent : minDcf;
  }

  /** The value under each draw, in the unit of {@link #value}. */
  public double[] values(Measure measure) {
    double[] rates = decode(trials, measure == Measure.EER ? eerDraws : minDcfDraws);
    if (measure == Measure.EER) for (int i = 0; i < rates.length; i++) rates[i] *= 100;
    return rates;
  }
}
