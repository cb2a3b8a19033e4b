package slimvox.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.cli.CommandLineTest;
import slimvox.data.Corpus;

/** The commands of {@code slimvox bench}. */
class BenchTest extends CommandLineTest {
  @Test
  void aStepIsTimedAndAccountedFor() {
    JsonNode json =
        run(
                "bench",
                "step",
                "--model=ResNet18",
                "--width=4",
                "--bins=16",
                "--batch=3",
                "--frames=20",
                "--classes=7",
                "--threads=1",
                "--steps=3",
                "--loss-every=2",
                "--optimizer=adamw",
                "--math=bfloat16",
                "--compare-dry",
                "--json")
            .succeeds()
            .json();
    for (String part : List.of("forward_ms", "backward_ms", "optimizer_ms")) {
      assertTrue(json.get(part).asDouble() > 0, json.toString()); // medians of their own
    }
    double whole = json.get("step_ms").asDouble();
    assertEquals(3000 / whole, json.get("utterances_per_s").asDouble(), 1e-6 * 3000 / whole);
    long sum = 0;
    for (JsonNode bytes : json.get("peak")) sum += bytes.asLong();
    assertEquals(json.get("peak_bytes").asLong(), sum);
    assertEquals(8, json.get("peak").size());
    assertTrue(json.get("dry_events").asInt() > 100, json.toString());
    assertTrue(json.get("arena_bytes").asLong() > 0);
    assertTrue(json.has("resident_growth_bytes"));
    assertTrue(json.get("device").asText().endsWith(OneDnn.bfloat16Math()), json.toString());
  }

  @Test
  void kernelsOfTheProcessorAreTimedByPassAndGeometry() {
    Run text =
        run(
                "bench",
                "step",
                "--model=ResNet18",
                "--width=8",
                "--batch=2",
                "--frames=40",
                "--backend=cpu",
                "--steps=1",
                "--kernels",
                "--json")
            .succeeds();
    JsonNode json = text.json();
    double all = 0;
    int forward = 0;
    int backwardWeight = 0;
    for (JsonNode kernel : json.get("kernels")) {
      assertTrue(kernel.get("ms").asDouble() > 0, kernel.toString());
      all += kernel.get("ms").asDouble();
      int launches = kernel.get("launches").asInt();
      if (kernel.get("family").asText().equals("convolution forward")) forward += launches;
      if (kernel.get("family").asText().equals("convolution backward weight")) {
        backwardWeight += launches;
      }
    }
    assertEquals(json.get("kernel_ms").asDouble(), all, 1e-6 * all);
    assertEquals(20, forward, json.toString()); // 17 of 3x3 and 3 shortcuts
    assertEquals(20, backwardWeight, json.toString());
    assertTrue(json.get("kernel_shares_percent").has("normalization"), json.toString());
    assertTrue(json.toString().contains("3x3/2, 8 to 16, 80x40"), json.toString());
  }

  @Test
  void whatIsNotThereIsRefused() {
    run("bench", "step", "--model=ResNet18", "--backend=cuda").failsWith("backend cuda");
    run("bench", "step", "--model=ResNet18", "--backend=gpu").failsWith("no backend 'gpu'");
    run("bench", "step", "--model=ResNet18", "--backend=dry", "--kernels")
        .isRefusedAsUsage("bench step", "--kernels times what backend dry does not do");
    run("bench", "step").isRefusedAsUsage("bench step", "--model is needed");
  }

  @Test
  void anOptimizerHasTimeAndBytesOfState() {
    for (String rule : List.of("sgd", "adam", "adamw")) {
      JsonNode json =
          run(
                  "bench",
                  "optimizer",
                  "--parameters=2500000",
                  "--optimizer=" + rule,
                  "--state-bits=8",
                  "--block=2048",
                  "--steps=2",
                  "--json")
              .succeeds()
              .json();
      assertTrue(json.get("median_ms").asDouble() > 0);
      int blocks = 2359296 / 2048 + (2500000 - 2359296 + 2047) / 2048;
      int moments = rule.equals("sgd") ? 1 : 2;
      assertEquals(moments * (2500000 + 4 * blocks), json.get("state_bytes").asInt(), rule);
    }
    run("bench", "optimizer", "--parameters=0").isRefusedAsUsage("bench optimizer", "--parameters");
    run("bench", "optimizer", "--runs=0").isRefusedAsUsage("bench optimizer", "--runs");
  }

  @Test
  void embeddingCountsUtterancesPerSecond() {
    JsonNode json =
        run(
                "bench",
                "embed",
                "--model=ResNet18",
                "--width=4",
                "--frames=50",
                "--batch=3",
                "--runs=5",
                "--math=bfloat16",
                "--json")
            .succeeds()
            .json();
    assertTrue(json.get("device").asText().endsWith(OneDnn.bfloat16Math()), json.toString());
    double median = json.get("median_ms").asDouble();
    assertEquals(3000 / median, json.get("utterances_per_second").asDouble(), 1e-6);
    assertEquals(1500 / median, json.get("real_time_factor").asDouble(), 1e-6);
    assertTrue(json.get("best_ms").asDouble() <= median);
    run("bench", "embed", "--model=ResNet18", "--batch=0")
        .isRefusedAsUsage("bench embed", "--batch");
  }

  @Test
  void theLoaderIsMeasuredOnStreamedExamples(@TempDir Path folder) throws Exception {
    Path corpus = corpus(folder.resolve("corpus"), 3, 3);
    Path list = folder.resolve("noise.scp");
    Files.writeString(
        list, "noise/a %s%n".formatted(Corpus.open(corpus).utterances().get(0).file()));
    JsonNode json =
        run("bench", "loader", corpus, "--noise", list, "--rooms", list, "--runs=2", "--json")
            .succeeds()
            .json();
    double median = json.get("median_ms_per_example").asDouble();
    assertTrue(median > 0);
    assertEquals(1000 / median, json.get("examples_per_cpu_s").asDouble(), 1e-6 * 1000 / median);
    assertEquals(0.6, json.get("probability").asDouble());
    for (String dither : List.of("-1", "NaN")) {
      run("bench", "loader", corpus, "--dither=" + dither)
          .isRefusedAsUsage(
              "bench loader", "--dither " + Double.valueOf(dither) + " is not possible");
    }
    run("bench", "loader", corpus, "--probability=2")
        .isRefusedAsUsage("bench loader", "--probability");
  }

  @Test
  void featuresAndMetricsPrintFigures() {
    JsonNode features =
        run("bench", "features", "--seconds=1", "--threads=2", "--runs=5", "--json")
            .succeeds()
            .json();
    assertTrue(features.get("real_time_factor").asDouble() > 1, features.toString());
    assertEquals(98, features.get("frames").asInt());
    double median = features.get("median_ms").asDouble();
    assertTrue(features.get("best_ms").asDouble() <= median, features.toString());
    assertEquals(2000 / median, features.get("real_time_factor").asDouble(), 1e-6);
    assertEquals(1000 / median, features.get("real_time_factor_per_thread").asDouble(), 1e-6);
    run("bench", "features", "--seconds=0.02").isRefusedAsUsage("bench features", "--seconds");
    run("bench", "features", "--threads=0").isRefusedAsUsage("bench features", "--threads");
    JsonNode metrics =
        run("bench", "metrics", "--trials=20000", "--runs=1", "--json").succeeds().json();
    // Two normal distributions 0.5 apart, deviation 0.12: EER = normal(-0.25 / 0.12).
    assertEquals(1.86, metrics.get("eer_percent").asDouble(), 0.6);
    assertTrue(metrics.get("seconds").asDouble() > 0);
  }

  @Test
  void timesOfEveryLayerAreThere() {
    JsonNode json =
        run(
                "bench",
                "binary",
                "--model=ResNet18",
                "--width=8",
                "--pooling=gsp",
                "--frames=20",
                "--rounds=1",
                "--json",
                "--quiet")
            .json();
    assertTrue(json.get("packed_bytes").asLong() * 5 < json.get("float_bytes").asLong());
    assertEquals(11, json.get("layers").size());
    for (JsonNode layer : json.get("layers")) {
      for (String form : new String[] {"float32_ms", "int8_ms", "w1a32_ms", "w1a1_ms"}) {
        assertTrue(layer.get(form).asDouble() > 0, form);
      }
    }
    for (String form : new String[] {"float32", "w1a32", "w1a1"}) {
      assertTrue(json.get("network_" + form + "_ms").asDouble() > 0);
    }
  }
}
