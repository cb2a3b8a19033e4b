package slimvox.cli;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import slimvox.report.Values;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** Puts together what processes wrote that shared their work. */
@Command(
    name = "join",
    description = {
      "Put the parts together that 'embed --shard' or 'features --shard' wrote.",
      "OUT has the same bytes as the file that one process writes without --shard, if recordings"
          + " and lists stay as they are until the last part is written: lists are compared,"
          + " recordings are not."
    })
final class JoinCommand extends Subcommand {
  @Parameters(index = "0", paramLabel = "OUT", description = "The file to write.")
  private Path out;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "PART",
      description = "All parts, in any order.")
  private List<Path> files;

  @Override
  public Integer call() {
    for (Path file : files) apart(out, "a part", file);
    AtomicFile.requireWritable(out);
    Map<Integer, Safetensors> parts = parts();
    SafetensorsWriter writer = Safetensors.writer();
    Map<String, String> metadata = metadata(parts.values().iterator().next());
    metadata.remove(Shard.WHOLE);
    metadata.forEach(writer::metadata);
    Set<String> names = new HashSet<>();
    for (Safetensors part : parts.values()) {
      for (String name : part.names()) {
        if (!names.add(name)) {
          throw InputException.at(part.file(), "%s is in an earlier part too; make it anew", name);
        }
        writer.put(name, part.dtype(name), part.shape(name), part.segment(name));
      }
    }
    if (names.isEmpty())
      throw InputException.at(out, "all parts are empty; see what they left out");
    writer.write(out);
    Values values = new Values();
    values.put("parts", parts.size());
    values.put("tensors", names.size());
    values.put("out", out.toString());
    result(
        values.text("{tensors:%,d} tensor{tensors:s} of {parts} part{parts:s} in {out}"), values);
    return 0;
  }

  /** All parts of one whole, by number. */
  private Map<Integer, Safetensors> parts() {
    Map<Integer, Safetensors> parts = new TreeMap<>();
    Safetensors first = null;
    int needed = 0;
    for (Path file : files) {
      Safetensors part = Safetensors.read(file);
      String which = part.metadata().get(Shard.KEY);
      if (which == null) {
        throw InputException.at(file, "is no part; 'slimvox embed --shard 1/8' makes one");
      }
      Shard shard = Shard.parse(which);
      if (shard == null) {
        throw InputException.at(file, "is part %s, which there is not; make it anew", which);
      }
      if (first == null) {
        first = part;
        needed = shard.parts();
      }
      if (shard.parts() != needed || !metadata(part).equals(metadata(first))) {
        throw InputException.at(
            file, "is a part of something else than %s; make both alike", first.file());
      }
      Safetensors same = parts.put(shard.number(), part);
      if (same == null) continue;
      throw InputException.at(file, "is part %s, as %s is; give each once", shard, same.file());
    }
    for (int i = 1; i <= needed; i++) {
      if (parts.containsKey(i)) continue;
      throw InputException.at(out, "part %d/%d is not among the files; give it too", i, needed);
    }
    return parts;
  }

  private static Map<String, String> metadata(Safetensors part) {
    Map<String, String> metadata = new LinkedHashMap<>(part.metadata());
    metadata.remove(Shard.KEY);
    return metadata;
  }
}
