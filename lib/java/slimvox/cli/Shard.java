package slimvox.cli;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;

/** One of equal parts of a piece of work that processes share: {@code 2/8} is the second of 8. */
record Shard(int number, int parts) {
  /** Key of a file's metadata that says which part it is; {@code slimvox join} takes it away. */
  static final String KEY = "shard";

  /** The same for the hash of the whole that it is a part of. */
  static final String WHOLE = "shard_of";

  /** What an option was given; null where it was not. */
  static Shard of(Subcommand command, String text) {
    Shard shard = text == null ? null : parse(text);
    if (text == null || shard != null) return shard;
    throw command.usage("--shard " + text + " is not possible; give 1/N to N/N, for example 2/8");
  }

  /** What a file says; null if that is no part. */
  static Shard parse(String text) {
    if (text.matches("\\d{1,6}/\\d{1,6}")) {
      String[] numbers = text.split("/");
      Shard shard = new Shard(Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]));
      if (shard.number >= 1 && shard.number <= shard.parts) return shard;
    }
    return null;
  }

  /** What a file of this part says: which it is, and a hash of ids and inputs of the whole. */
  Map<String, String> metadata(List<String> ids, Object... inputs) {
    Stream<String> whole = Stream.concat(ids.stream(), Stream.of(inputs).map(Object::toString));
    Map<String, String> metadata = new TreeMap<>();
    metadata.put(KEY, toString());
    metadata.put(WHOLE, Sha256.of(whole.map(piece -> piece + "\n")));
    return metadata;
  }

  /** This part of a list: whole blocks, one after the other; too few blocks are refused. */
  <T> List<T> of(List<T> all, int block, String what) {
    int blocks = Math.ceilDiv(all.size(), block);
    if (blocks < parts) {
      throw InputException.of(
          "--shard %s: a part has %d or more of the %d %s; give --shard %d/%d at most",
          this, block, all.size(), what, blocks, blocks);
    }
    int from = (int) ((long) blocks * (number - 1) / parts) * block;
    int to = (int) Math.min(all.size(), (long) blocks * number / parts * block);
    return all.subList(from, to);
  }

  @Override
  public String toString() {
    return number + "/" + parts;
  }
}
