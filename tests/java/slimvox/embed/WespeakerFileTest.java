package slimvox.embed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.Fuzz;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.MemoryBudget;
import slimvox.models.Network;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/**
 * What real checkpoints hold beside the network: counters of all kinds, and what training leaves.
 */
class WespeakerFileTest {
  private static final String COUNTER = ".num_batches_tracked";
  private static final int BINS = 16;
  @TempDir Path folder;

  /** The known network, its counters as given: a type, {@code none}, or {@code kept}. */
  private SafetensorsWriter network(String prefix, String counters, double count) {
    Safetensors known =
        Safetensors.read(Path.of("tests/data/models/resnet_basic_1111.safetensors"));
    SafetensorsWriter writer = Safetensors.writer();
    for (String name : known.names()) {
      if (!name.startsWith("param.")) continue;
      String own = prefix + name.substring("param.".length());
      long[] shape = known.shape(name);
      if (!name.endsWith(COUNTER)) {
        writer.put(own, shape, known.floats(name));
        continue;
      }
      switch (counters) {
        case "I64" -> writer.put(own, shape, new long[] {(long) count});
        case "I32" -> writer.put(own, "I32", shape, MemorySegment.ofArray(new int[] {(int) count}));
        case "F64" -> writer.put(own, "F64", shape, MemorySegment.ofArray(new double[] {count}));
        case "F32" -> writer.put(own, new long[] {1}, new float[] {(float) count});
        case "F16" -> {
          short[] half = {Float.floatToFloat16((float) count)};
          writer.put(own, "F16", shape, MemorySegment.ofArray(half));
        }
        default -> {}
      }
    }
    return writer;
  }

  private Path written(SafetensorsWriter writer) {
    Path file = folder.resolve("average.safetensors");
    writer.write(file);
    return file;
  }

  private static long[] counters(Path file) {
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = WespeakerFile.open(file).network(Map.of(), BINS, backend)) {
      var weight = network.state().parameters().get("conv1.weight").value();
      assertTrue(backend.ops().floats(weight)[0] != 0);
      return network.state().counters().values().stream()
          .mapToLong(c -> c.get().getAsLong())
          .distinct()
          .toArray();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'', I64, 7, 7",
    "'', I32, 7, 7",
    "'', F32, 7, 7",
    "'', F32, 6.5, 7",
    "'', F64, 123456.25, 123456",
    "'', F16, 7, 7",
    "'', F16, 100000, 0", // beyond half precision
    "'', F32, NaN, 0",
    "'', none, 0, 0",
    "module., F32, 7, 7",
    "resnet., I64, 7, 7",
  })
  void countersOfAnyKindAreTaken(String prefix, String type, double count, long expected) {
    assertEquals(expected, counters(written(network(prefix, type, count)))[0]);
  }

  @ParameterizedTest
  @CsvSource({
    "projection.extra", "projection.bias", "optimizer.state.0.exp_avg", "scheduler.last_epoch",
    "module.projection.extra", "epoch", "step", "global_step"
  })
  void whatTrainingLeavesIsNotLookedAt(String name) {
    for (String prefix : new String[] {"", "module."}) {
      SafetensorsWriter writer = network(prefix, "I64", 3);
      writer.put(name, new long[] {2}, new float[2]);
      assertEquals(3, counters(written(writer))[0]);
    }
  }

  @ParameterizedTest
  @CsvSource({"seg_2.weight, ''", "layer5.0.conv1.weight, module.", "frontend.weight, ''"})
  void otherNamesAreRefused(String name, String prefix) {
    SafetensorsWriter writer = network(prefix, "I64", 3);
    writer.put(prefix + name, new long[] {2}, new float[2]);
    assertRefused(writer, prefix + name);
    writer = network("module.", "I64", 3);
    writer.put(name, new long[] {2}, new float[2]);
    assertRefused(writer, name);
  }

  private void assertRefused(SafetensorsWriter writer, String name) {
    Path file = written(writer);
    String message = assertThrows(InputException.class, () -> counters(file)).getMessage();
    assertTrue(message.startsWith(file + ": tensor " + name + " is unknown"), message);
  }

  @Test
  void aCounterOfSeveralValuesIsRefused() {
    SafetensorsWriter writer = network("", "none", 0);
    writer.put("bn1" + COUNTER, new long[] {0}, new float[0]);
    Path file = written(writer);
    assertEquals(
        file + ": tensor bn1.num_batches_tracked has 0 values, a counter has one",
        assertThrows(InputException.class, () -> counters(file)).getMessage());
  }

  /** Other programs write no checksums: damage is refused or is read as another network. */
  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    Path file = written(network("", "I64", 3));
    byte[] own = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(own).order(ByteOrder.LITTLE_ENDIAN).getLong();
    byte[] header =
        new String(own, 8, length, StandardCharsets.UTF_8)
            .replaceFirst("\"__metadata__\":\\{[^}]*},", "")
            .getBytes(StandardCharsets.UTF_8);
    byte[] data = Arrays.copyOfRange(own, 8 + length, own.length);
    Files.write(file, file(header, data));
    Fuzz.Reader reader =
        f -> {
          try (Backend dry = new Backend(new DryDevice());
              Network network = WespeakerFile.open(f).network(Map.of(), BINS, dry)) {
            return network.spec();
          }
        };
    assertTrue(Fuzz.of(file).rounds(150, reader) > 20);
    assertTrue(
        Fuzz.of(file, random -> file(Fuzz.mutate(header, random), data)).rounds(150, reader) > 20);
  }

  private static byte[] file(byte[] header, byte[] data) {
    return ByteBuffer.allocate(8 + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }
}
