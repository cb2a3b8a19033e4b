package slimvox.cli;

import java.util.Map;
import picocli.CommandLine.Option;
import slimvox.optim.StateFormat;

/** Options that say how an optimizer holds its state. */
public final class StateOptions {
  @Option(
      names = "--state-bits",
      paramLabel = "BITS",
      description = "Optimizer state of 32 or 8 bits. Default ${DEFAULT-VALUE}.")
  int bits = 32;

  @Option(
      names = "--block",
      paramLabel = "N",
      description =
          "With 8 bits: numbers that share a scale, a power of two: 256 (the default) or 2048.")
  Integer block;

  /** Refuses what is not possible. */
  public void check(Subcommand command) {
    if (bits != 32 && bits != 8) {
      throw command.usage("--state-bits " + bits + " is not possible; give 32 or 8");
    }
    if (block == null) return;
    if (bits == 32) {
      throw command.usage("--block " + block + " has no effect with --state-bits 32");
    }
    if (block < 1 || Integer.bitCount(block) != 1) {
      throw command.usage(
          "--block " + block + " is not possible; give a power of two, such as 256 or 2048");
    }
  }

  public StateFormat format() {
    if (bits == 32) return StateFormat.FLOAT32;
    return block == null ? StateFormat.EIGHT_BIT : StateFormat.eightBit(block);
  }

  /** Adds what was asked for to a result. */
  public void put(Map<String, Object> values) {
    values.put("state_bits", bits);
    values.put("state_block", bits == 32 ? null : format().block());
  }
}
