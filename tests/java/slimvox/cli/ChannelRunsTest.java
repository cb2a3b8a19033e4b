package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.Safetensors;

/** Training behind channels, and evaluation both clean and behind channels. */
class ChannelRunsTest extends CommandLineTest {
  @TempDir Path folder;
  private Path corpus;
  private Path trials;
  private Path recipe;

  @BeforeEach
  void recipe() throws Exception {
    corpus = corpus(folder.resolve("corpus"), 4, 4);
    trials = trials(folder.resolve("t.trials"), 4);
    recipe =
        recipe(
            folder.resolve("r.yaml"), corpus, "[\"%s\", \"%s@channel\"]".formatted(trials, trials));
  }

  private Run train(Object... rest) {
    Object[] args = new Object[rest.length + 4];
    args[0] = "train";
    args[1] = "--json";
    args[2] = "--set";
    args[3] = "data.channel.probability=0.7";
    System.arraycopy(rest, 0, args, 4, rest.length);
    return run(args);
  }

  @Test
  void bothListsComeFromOneRunAndFromEmbedAndEvaluate() {
    JsonNode json =
        train("data.sampling=class-balanced", recipe, "--out", folder.resolve("run")).json();
    for (String suffix : List.of("", "@channel")) {
      Path embeddings = folder.resolve("e.safetensors");
      Path scores = folder.resolve("scores.txt");
      String checkpoint = json.get("checkpoint").asText();
      if (suffix.isEmpty()) {
        run("embed", checkpoint, corpus, embeddings, "--threads=1").succeeds();
      } else {
        run("embed", checkpoint, corpus, embeddings, "--threads=1", "--channel").succeeds();
      }
      run("score", embeddings, trials, scores).succeeds();
      JsonNode evaluated = run("evaluate", scores, trials, "--json").succeeds().json();
      JsonNode list = json.get("lists").get(trials + suffix);
      assertEquals(trials + suffix, list.get("trial_list").asText());
      assertEquals(evaluated.get("eer_percent").asDouble(), list.get("eer_percent").asDouble());
      assertEquals(
          evaluated.get("eer_threshold").asDouble(), list.get("eer_threshold").asDouble(), 1e-5);
    }
    assertNotEquals(
        json.get("lists").get(trials + "").get("eer_threshold"),
        json.get("lists").get(trials + "@channel").get("eer_threshold"));
    assertEquals(json.get("eer_percent"), json.at("/lists").get(trials + "").get("eer_percent"));
  }

  @Test
  void aRunThatWasCutShortEndsInTheSameBits() throws Exception {
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    train(recipe, "--out", whole).succeeds();
    train("run.length=6 steps", recipe, "--out", parts).succeeds();
    Files.delete(parts.resolve("checkpoint-0000006.safetensors"));
    run("train", "--resume", "--out", parts, "--json").succeeds();
    for (String name : Safetensors.read(whole.resolve("checkpoint-0000006.safetensors")).names()) {
      assertEquals(
          -1,
          Safetensors.read(whole.resolve("checkpoint-0000006.safetensors"))
              .segment(name)
              .mismatch(
                  Safetensors.read(parts.resolve("checkpoint-0000006.safetensors")).segment(name)),
          name);
    }
    assertEquals(
        Files.readString(whole.resolve("validation.csv")),
        Files.readString(parts.resolve("validation.csv")));
    run("train", "--resume", recipe, "--out", parts).failsWith("data.channel.");
  }

  @Test
  void impossibleChannelsAreRefused() throws Exception {
    Path out = folder.resolve("run");
    run("train", recipe, "--out", out, "--set", "data.channel.probability=1.5")
        .failsWith("data.channel.probability: 1.5 is not possible; allowed is 0 to 1");
    run("train", recipe, "--out", out, "--set", "data.channel.leastSnrDb=21")
        .failsWith("data.channel.leastSnrDb: 21.0 is more than data.channel.mostSnrDb, 20.0");
    run("train", recipe, "--out", out, "--set", "data.sampling=speakers")
        .failsWith("data.sampling", "instance-balanced, class-balanced");
    run("train", recipe, "--out", out, "--set", "data.trials=none@channel").failsWith("none");
    run("embed", "m", "--features", "f", out, "--channel")
        .isRefusedAsUsage("embed", "--channel is for recordings");
    Path ark = Path.of("tests/data/data/features.ark").toAbsolutePath();
    Path features = Files.createDirectory(folder.resolve("features"));
    Files.writeString(features.resolve("feats.scp"), "a %s:6\nb %1$s:364\n".formatted(ark));
    Files.writeString(features.resolve("utt2spk"), "a x\nb y\n");
    Path pair = Files.writeString(folder.resolve("pair"), "1 a a\n0 a b\n");
    String own = "data.trainCorpus=" + features;
    run(
            "train",
            recipe,
            "--out",
            out,
            "--set",
            own,
            "data.channel.probability=1",
            "data.trials=null")
        .failsWith(features + ": has features, and channels need sound; set data.channel.probab");
    run("train", recipe, "--out", out, "--set", own, "data.trials=" + pair + "@channel")
        .failsWith("channels need sound; name data.trials " + pair + " without @channel");
    assertTrue(Files.notExists(out));
  }

  @Test
  void aRunOnShardsEndsInTheBitsOfItsFiles() throws Exception {
    Path shards = folder.resolve("shards");
    JsonNode written = run("shards", corpus, shards, "--utterances=5", "--json").succeeds().json();
    assertEquals(4, written.get("archives").asInt());
    run("shards", corpus, shards)
        .failsWith(shards + ": holds a corpus already (wav.scp); name another");
    String trained = train(recipe, "--out", folder.resolve("a")).json().get("checkpoint").asText();
    String set = "data.trainCorpus=" + shards;
    JsonNode json =
        train(set, "data.source=streaming", recipe, "--out", folder.resolve("b")).json();
    Safetensors expected = Safetensors.read(Path.of(trained));
    Safetensors streamed = Safetensors.read(Path.of(json.get("checkpoint").asText()));
    for (String name : expected.names()) {
      assertEquals(-1, expected.segment(name).mismatch(streamed.segment(name)), name);
    }
  }
}
