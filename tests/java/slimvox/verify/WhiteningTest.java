package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slimvox.Refusals.assertRefused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WhiteningTest {
  private static Embeddings embeddings(float[]... vectors) {
    Embeddings embeddings = new Embeddings(vectors[0].length);
    for (int i = 0; i < vectors.length; i++) embeddings.add("u" + i, vectors[i]);
    return embeddings;
  }

  @Test
  void cosinesAreThoseOfTheInverseRoot() throws IOException {
    JsonNode known =
        new ObjectMapper()
            .readTree(Path.of("tests/data/verify/statistics.json").toFile())
            .get("whitening");
    float[][] vectors = new float[known.get("x").size()][4];
    Map<String, String> speakers = new HashMap<>();
    Trials.Builder trials = Trials.builder("list");
    for (int i = 0; i < vectors.length; i++) {
      for (int d = 0; d < 4; d++) vectors[i][d] = (float) known.get("x").get(i).get(d).asDouble();
      speakers.put("u" + i, "s" + known.get("speakers").get(i).asInt());
      trials.add("u0", "u" + i, i < 4);
    }
    Embeddings embeddings = embeddings(vectors);
    Scores scores = Whitening.of(embeddings, speakers::get).score(trials.build(), embeddings);
    assertEquals("cosine after whitening", scores.scoring());
    for (int i = 0; i < vectors.length; i++) {
      assertEquals(known.get("cosines").get(i).asDouble(), scores.get(i), 1e-5);
    }
  }

  @Test
  void withoutVarianceWithinSpeakersThereIsNothingToLearn() {
    Embeddings two = embeddings(new float[] {1, 2}, new float[] {3, 1});
    assertRefused(
        "2 embeddings of 2 speakers; whitening needs speakers with two or more",
        () -> Whitening.of(two, utterance -> utterance));
    assertRefused(
        "utterance 'u0' has no speaker; add it to utt2spk", () -> Whitening.of(two, _ -> null));
    Embeddings alike = embeddings(new float[] {1, 2}, new float[] {1, 2});
    assertRefused(
        "embeddings of a speaker are all alike; whiten others",
        () -> Whitening.of(alike, _ -> "one"));
  }
}
