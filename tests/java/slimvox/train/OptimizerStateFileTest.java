package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.optim.OptimizerState;
import slimvox.optim.QuantizationError;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** Optimizer state of 8 bits in runs and checkpoints. */
class OptimizerStateFileTest {
  private static final String TENSOR = "optimizer.layer4.0.conv1.weight.mean";
  @TempDir static Path folder;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
  }

  private static Recipe recipe(String... settings) {
    return TinyRuns.recipe(folder, "run.validateEvery=0 steps").with(settings);
  }

  private static void run(Recipe recipe, Path out, Listener listener) throws Exception {
    try (Trainer trainer = Files.exists(out) ? resume(recipe, out) : start(recipe, out)) {
      trainer.run(listener);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "optimizer.state.block=2048",
        "optimizer.state.map=linear",
        "optimizer.state.scale=tensor",
        "optimizer.state.exemptBelow=0",
        "optimizer.update=in-backward"
      })
  void aRunWithEightBitStateGoesOnToTheSameBits(String setting) throws Exception {
    List<String> settings = new ArrayList<>(List.of("optimizer.state.bits=8"));
    if (!setting.isEmpty()) settings.add(setting);
    Recipe recipe = recipe(settings.toArray(String[]::new));
    Path whole = folder.resolve("whole-" + setting);
    run(recipe, whole, SILENT);
    Path parts = folder.resolve("parts-" + setting);
    run(recipe, parts, interruptAt(5));
    assertTrue(Thread.interrupted());
    run(recipe, parts, SILENT);
    Safetensors a = Safetensors.read(Checkpoint.file(whole, 12));
    Safetensors b = Safetensors.read(Checkpoint.file(parts, 12));
    assertEquals(a.names(), b.names());
    for (String name : a.names()) {
      assertEquals(-1, a.segment(name).mismatch(b.segment(name)), name);
    }
    assertEquals("U8", a.dtype(TENSOR + ".codes"));
    assertTrue(a.bytes(TENSOR + ".codes").length > 4000);
  }

  private static String noteOfResume(Recipe recipe, Path out) throws Exception {
    String[] note = new String[1];
    run(
        recipe,
        out,
        new Listener() {
          @Override
          public void noted(String text) {
            note[0] = text;
          }

          @Override
          public void stepped(Step step) {
            Thread.currentThread().interrupt();
          }
        });
    assertTrue(Thread.interrupted());
    return note[0];
  }

  @Test
  void stateMayChangeItsFormatOnTheWayWithANoteOfWhatIsLost() throws Exception {
    Path out = folder.resolve("change");
    run(recipe(), out, interruptAt(4));
    assertTrue(Thread.interrupted());
    assertNull(noteOfResume(recipe(), out));

    Recipe eight = recipe("optimizer.state.bits=8");
    String note = noteOfResume(eight, out);
    assertTrue(
        note.matches(
            "optimizer state changes from 32-bit to 8-bit \\(dynamic map, blocks of 256, exempt"
                + " below 4,096 elements\\): \\d+ tensors are rounded, by \\d+[.]\\d\\d % of a"
                + " number on average \\(\\S+ by \\S+ %\\), and \\d[.]\\d{3} % of the numbers"
                + " become zero; the run will not end in the bits of the one that was saved"),
        note);
    assertEquals(eight, Recipe.read(out.resolve("recipe.yaml")), "the run is an 8-bit one now");

    assertTrue(
        noteOfResume(recipe("optimizer.state.bits=8", "optimizer.state.block=2048"), out)
            .startsWith("optimizer state changes from 8-bit (dynamic map, blocks of 256, exempt"));
    assertEquals(
        "optimizer state changes from 8-bit (dynamic map, blocks of 2048, exempt below 4,096"
            + " elements) to 32-bit: the rounded numbers are taken over, nothing more is lost",
        noteOfResume(recipe(), out));
  }

  private static Map<String, float[]> state(Recipe recipe, Path out) throws Exception {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (Trainer trainer = resume(recipe, out)) {
      for (OptimizerState s : trainer.training().step().optimizer().state()) {
        values.put(s.name(), s.values());
      }
    }
    return values;
  }

  @Test
  void numbersOfTheStateAreTakenOverIntoAnotherFormat() throws Exception {
    Path out = folder.resolve("numbers");
    Recipe full = recipe("run.length=4 steps");
    run(full, out, SILENT);
    Map<String, float[]> exact = state(full, out);
    Map<String, float[]> rounded = state(full.with("optimizer.state.bits=8"), out);
    assertEquals(exact.keySet(), rounded.keySet());
    int quantized = 0;
    for (String name : exact.keySet()) {
      if (exact.get(name).length < 4096) {
        assertArrayEquals(exact.get(name), rounded.get(name), name);
      } else {
        QuantizationError e = QuantizationError.of(name, exact.get(name), rounded.get(name));
        assertTrue(e.mean() > 0 && e.mean() < 0.06, e.toString());
        quantized++;
      }
    }
    assertTrue(quantized > 4, quantized + " tensors");

    Path eightBits = folder.resolve("numbers-8");
    Recipe eight = full.with("optimizer.state.bits=8");
    run(eight, eightBits, SILENT);
    Map<String, float[]> codes = state(eight, eightBits);
    Map<String, float[]> back = state(full, eightBits);
    for (String name : codes.keySet()) assertArrayEquals(codes.get(name), back.get(name), name);
    Map<String, float[]> longer = state(eight.with("optimizer.state.block=2048"), eightBits);
    for (String name : codes.keySet()) {
      QuantizationError e = QuantizationError.of(name, codes.get(name), longer.get(name));
      assertTrue(e.mean() < 0.06, e.toString());
    }
  }

  /** Copies a checkpoint with one tensor left out and another in its place. */
  private static void replace(Path file, String name, SafetensorsWriter with) {
    Safetensors old = Safetensors.read(file);
    for (String other : old.names()) {
      if (other.equals(name)) continue;
      switch (old.dtype(other)) {
        case "U8" -> with.put(other, old.shape(other), old.bytes(other));
        case "I64" -> with.put(other, old.shape(other), old.longs(other));
        default -> with.put(other, old.shape(other), old.floats(other));
      }
    }
    old.metadata()
        .forEach(
            (key, value) -> {
              if (List.of("recipe", "steps", "classes", "corpus_sha256").contains(key)) {
                with.metadata(key, value);
              }
            });
    with.write(file);
  }

  @Test
  void codesAndScalesThatDoNotBelongTogetherAreRefusedByName() throws Exception {
    Path out = folder.resolve("damaged");
    Recipe recipe = recipe("optimizer.state.bits=8", "run.length=4 steps");
    run(recipe, out, SILENT);
    Path file = Checkpoint.latest(out).orElseThrow();
    byte[] good = Files.readAllBytes(file);
    Safetensors saved = Safetensors.read(file);
    float[] absmax = saved.floats(TENSOR + ".absmax");
    byte[] codes = saved.bytes(TENSOR + ".codes");
    float[] fewer = Arrays.copyOf(absmax, absmax.length - 1);
    float[] negative = absmax.clone();
    negative[1] = -1;

    refused(
        recipe,
        file,
        TENSOR + ".absmax",
        Safetensors.writer().put(TENSOR + ".absmax", new long[] {fewer.length}, fewer),
        "%s.absmax and .codes do not belong together: %,d codes in blocks of 256 need %d scales of"
                .formatted(TENSOR, codes.length, absmax.length)
            + " type F32, not ["
            + fewer.length
            + "] of type F32");
    Files.write(file, good);
    refused(
        recipe,
        file,
        TENSOR + ".absmax",
        Safetensors.writer().put(TENSOR + ".absmax", new long[] {absmax.length}, negative),
        TENSOR + ".absmax holds -1.0; a scale is at least 0 and finite");
    Files.write(file, good);
    refused(
        recipe,
        file,
        TENSOR + ".codes",
        Safetensors.writer().put(TENSOR + ".codes", new long[] {codes.length}, codes),
        "tensor %s.codes is [%d] of type U8, its parameter wants %s of type U8"
            .formatted(TENSOR, codes.length, Arrays.toString(saved.shape(TENSOR + ".codes"))));
    Files.write(file, good);
    refused(
        recipe,
        file,
        TENSOR + ".codes",
        Safetensors.writer(),
        "no tensor " + TENSOR + ".codes, so its optimizer state is not complete");
    Files.write(file, good);
    resume(recipe, out).close();
  }

  private static void refused(
      Recipe recipe, Path file, String name, SafetensorsWriter with, String message) {
    replace(file, name, with);
    var e = assertThrows(InputException.class, () -> resume(recipe, file.getParent()));
    assertEquals(file + ": " + message, e.getMessage());
  }
}
