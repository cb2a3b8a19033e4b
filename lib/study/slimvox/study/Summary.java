package slimvox.study;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.verify.Replicates;

/**
 * What is kept of a finished run, in a JSON file of its own: a line a value, so that two versions
 * can be compared, and written whole or not at all.
 *
 * @param variant the name of the variant
 * @param seed of the run; 0 for a baseline, which has none
 * @param settings of the variant, for the reader
 * @param recipe hash of what decides the run's bits, {@link Experiment#hash}
 * @param corpus hash of the corpus
 * @param revision version of the program that trained and scored
 * @param training what training took and gave; null for a baseline
 * @param lists EER and minDCF by trial list, of all trials and under each draw of speakers
 */
public record Summary(
    String variant,
    int seed,
    List<String> settings,
    String recipe,
    String corpus,
    String revision,
    Training training,
    Map<String, Replicates> lists) {

  static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  /**
   * What training took and gave.
   *
   * @param steps taken
   * @param accuracy without margin in %, mean of the last quarter of the steps
   * @param loss mean of the last quarter of the steps
   * @param seconds of the steps, waiting for data included
   * @param cpuSeconds of the thread that trained, of a resumed run in proportion to the steps of
   *     its last part; null if nothing was left to train when it was scored
   * @param peakBytes the ledger's peak
   * @param stateBytes of the optimizer's state
   * @param parameters of the network, without the classifier
   */
  public record Training(
      long steps,
      double accuracy,
      double loss,
      double seconds,
      Double cpuSeconds,
      long peakBytes,
      long stateBytes,
      long parameters) {}

  /** Sorts the lists by name. */
  public Summary {
    settings = List.copyOf(settings);
    lists = java.util.Collections.unmodifiableMap(new TreeMap<>(lists));
  }

  /** Reads a file; one that is no summary is refused. */
  static Summary read(Path file) {
    String fault =
        "is no summary of a run (%s); restore it, or remove it to have the run made again";
    return read(file, new TypeReference<>() {}, fault);
  }

  /** Reads a file of results; one that is none is refused with this fault. */
  static <T> T read(Path file, TypeReference<T> type, String fault) {
    try {
      T value = JSON.readValue(Files.readString(file), type);
      if (value == null) throw InputException.at(file, 1, fault, "null");
      return value;
    } catch (JsonProcessingException e) {
      int line = e.getLocation() == null ? 1 : Math.max(1, e.getLocation().getLineNr());
      String reason = e.getOriginalMessage().lines().findFirst().orElse("");
      throw InputException.at(file, line, fault, reason).because(e);
    } catch (IOException e) {
      throw InputException.unreadable(file, e);
    }
  }

  /** Writes a file. */
  void write(Path file) {
    try {
      AtomicFile.write(file, JSON.writeValueAsString(this) + "\n");
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The same run under the name of another variant. */
  Summary as(Candidate variant, List<String> settings) {
    return new Summary(variant.name(), seed, settings, recipe, corpus, revision, training, lists);
  }
}
